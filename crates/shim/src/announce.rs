//! What `shim up` says once it serves.

use std::net::SocketAddr;

use serde_json::json;
use shim_config::Config;
use shim_gateway::{AliasStatus, Control};
use shim_telemetry::clean;

use crate::cli::{CLIENTS, OPERATORS};
use crate::console::{put, say_json, shown};
use crate::found::{Found, LeftOut, looked_for, without_chat};
use crate::run::environment::{ANTHROPIC, GOOGLE, GOOGLE_KEY, OPENAI};

/// What there is to say.
pub(crate) struct Announcement<'a> {
    pub(crate) found: &'a [Found],
    pub(crate) left_out: &'a [LeftOut],
    pub(crate) clients: SocketAddr,
    pub(crate) operators: SocketAddr,
    pub(crate) config: &'a Config,
    /// What is in force: swaps outlive the process.
    pub(crate) control: &'a Control,
}

/// How wide a list may be.
const WIDTH: usize = 100;

impl Announcement<'_> {
    /// The same as JSON.
    pub(crate) fn tell_json(&self) {
        let found: Vec<_> =
            self.found.iter().map(|f| json!({ "provider": f.provider.id, "by": f.by })).collect();
        let left_out: Vec<_> =
            self.left_out.iter().map(|l| json!({ "provider": l.name, "why": l.why })).collect();
        let all = self.control.aliases();
        let aliases: serde_json::Map<_, _> =
            all.iter().map(|a| (a.alias.to_string(), a.live.to_string().into())).collect();
        let swapped: serde_json::Map<_, _> = all
            .iter()
            .filter(|a| a.live != a.declared)
            .map(|a| (a.alias.to_string(), json!({ "found": a.declared.to_string() })))
            .collect();
        let dormant: Vec<_> = self
            .control
            .dormant()
            .iter()
            .map(|(alias, target)| json!({ "alias": alias.as_str(), "target": target.to_string() }))
            .collect();
        let told = json!({
            "clients": self.clients.to_string(), "operators": self.operators.to_string(),
            "found": found, "left_out": left_out, "aliases": aliases, "swapped": swapped, "dormant": dormant,
            "store": self.config.store,
        });
        say_json(&told);
    }

    /// Says what was found, what is served, and a line to copy for each SDK and agent.
    pub(crate) fn tell(&self) {
        let mut text = String::from("\n  shim is serving\n\n");
        self.findings(&mut text);
        let aliases = self.control.aliases();
        aliases.iter().for_each(|alias| text.push_str(&alias_line(alias)));
        for (alias, target) in self.control.dormant() {
            let target = target.to_string();
            text.push_str(&format!(
                "  swap      {alias} → {}, kept from before and not in force: its provider was not found\n",
                clean(&target)
            ));
        }
        if aliases.iter().any(|alias| alias.live.provider.as_str() == "demo") {
            for found in self.found {
                let name = &found.provider.name;
                text.push_str(&format!("  no chat   {name}: {}\n", without_chat(found)));
            }
        }
        let store = std::path::absolute(&self.config.store).unwrap_or_else(|_| self.config.store.clone());
        text.push_str(&format!(
            "  store     {}: exchanges are recorded there, with their bodies (`shim ledger tail`)\n",
            store.display()
        ));
        let Self { clients, operators, .. } = self;
        text.push_str(&format!("\n  clients   http://{clients}     operators   http://{operators}\n\n"));
        text.push_str("  copy one of these:\n");
        for (what, line) in lines(*clients, *operators, |name| std::env::var_os(name).is_some()) {
            text.push_str(&format!("    {what:<15} {line}\n"));
        }
        text.push('\n');
        put(&shown(&text));
    }

    fn findings(&self, text: &mut String) {
        for found in self.found {
            let dialects: Vec<_> =
                found.provider.endpoints.iter().filter_map(|e| e.dialect()).map(|d| d.name()).collect();
            let (name, dialects) = (&found.provider.name, dialects.join(", "));
            text.push_str(&format!("  found     {name:<17} {:<22} {dialects}\n", found.by));
        }
        for LeftOut { name, why } in self.left_out {
            text.push_str(&format!("  left out  {name}: {why}\n"));
        }
        if !self.found.is_empty() {
            return;
        }
        let (variables, ports) = looked_for();
        text.push_str("  found     no key and no model server. Looked for the environment variables\n");
        wrapped(text, &variables);
        text.push_str("            and for servers on the ports\n");
        wrapped(text, &ports);
        text.push_str("            Until there is one, `demo/hello` answers: built in, without a model.\n");
    }
}

/// Where an alias leads, and that a swap of before has it lead there.
fn alias_line(alias: &AliasStatus) -> String {
    let live = alias.live.to_string();
    let swapped = if alias.live == alias.declared {
        String::new()
    } else {
        format!(
            "   (swapped before, from {}; `shim swap {} --back` takes it back)",
            alias.declared, alias.alias
        )
    };
    format!("  alias     {} → {}{}\n", alias.alias, clean(&live), clean(&swapped))
}

/// A list under what was said before it, on as many lines as it takes.
fn wrapped<T: AsRef<str>>(text: &mut String, words: &[T]) {
    let mut line = String::new();
    for (n, word) in words.iter().enumerate() {
        let comma = if n + 1 == words.len() { "." } else { "," };
        if !line.is_empty() && line.len() + word.as_ref().len() > WIDTH - 16 {
            text.push_str(&format!("             {line}\n"));
            line.clear();
        }
        line.push_str(&format!(" {}{comma}", word.as_ref()));
    }
    text.push_str(&format!("             {line}\n"));
}

/// Lines to copy: they work as they stand, also where the addresses are not the usual ones, and where a variable is `set` that
/// an SDK puts before those of the line.
fn lines(
    clients: SocketAddr,
    operators: SocketAddr,
    set: impl Fn(&str) -> bool,
) -> [(&'static str, String); 10] {
    let without = |names: &[&'static str]| {
        let in_the_way: Vec<_> = names.iter().copied().filter(|name| set(name)).collect();
        if in_the_way.is_empty() { String::new() } else { format!("unset {}; ", in_the_way.join(" ")) }
    };
    let google_key = if set(GOOGLE_KEY) { format!(" {GOOGLE_KEY}=shim") } else { String::new() };
    let url = match clients.to_string() {
        usual if usual == CLIENTS => String::new(),
        other => format!(" --url http://{other}"),
    };
    let to = match operators.to_string() {
        usual if usual == OPERATORS => String::new(),
        other => format!(" --operators {other}"),
    };
    let hello = r#"{"model":"chat","messages":[{"role":"user","content":"Hello"}]}"#;
    // An agent asks for a model of its own vendor's unless it is told another.
    let run = |agent: &str| format!("shim run{url} --model chat -- {agent}");
    [
        (
            "OpenAI SDKs",
            format!("{}export OPENAI_BASE_URL=http://{clients}/v1 OPENAI_API_KEY=shim", without(&OPENAI)),
        ),
        (
            "Anthropic SDKs",
            format!(
                "{}export ANTHROPIC_BASE_URL=http://{clients} ANTHROPIC_API_KEY=shim",
                without(&ANTHROPIC)
            ),
        ),
        (
            "Google Gen AI",
            format!(
                "{}export GOOGLE_GEMINI_BASE_URL=http://{clients} GEMINI_API_KEY=shim{google_key}",
                without(&GOOGLE)
            ),
        ),
        ("Claude Code", run("claude")),
        ("Codex", run("codex")),
        ("Gemini CLI", run("gemini")),
        ("opencode", run("opencode")),
        ("a first word", format!("shim chat{url} chat \"Hello\"")),
        ("curl", format!("curl http://{clients}/v1/chat/completions -d '{hello}'")),
        ("swap the model", format!("shim swap{to} chat --to PROVIDER/MODEL --now")),
    ]
}

#[cfg(test)]
mod tests {
    use super::{lines, wrapped};

    #[test]
    fn lines_to_copy_name_addresses_that_are_not_the_usual_ones() {
        let at = |clients: &str, operators: &str| {
            let lines = lines(clients.parse().unwrap(), operators.parse().unwrap(), |_| false);
            [3, 7, 9].map(|n| lines[n].1.clone())
        };
        assert_eq!(
            at("127.0.0.1:7446", "127.0.0.1:7447"),
            [
                "shim run --model chat -- claude",
                "shim chat chat \"Hello\"",
                "shim swap chat --to PROVIDER/MODEL --now"
            ]
        );
        assert_eq!(
            at("127.0.0.1:1", "[::1]:2"),
            [
                "shim run --url http://127.0.0.1:1 --model chat -- claude",
                "shim chat --url http://127.0.0.1:1 chat \"Hello\"",
                "shim swap --operators [::1]:2 chat --to PROVIDER/MODEL --now"
            ]
        );
    }

    #[test]
    fn lines_to_copy_hold_where_an_sdk_would_prefer_another_variable() {
        let address = "127.0.0.1:1".parse().unwrap();
        let set = ["ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "OPENAI_ORG_ID"];
        let lines = lines(address, address, |name| set.contains(&name));
        let told = |n: usize| lines[n].1.as_str();
        assert!(told(0).starts_with("unset OPENAI_ORG_ID; export "), "{}", told(0));
        assert!(told(1).starts_with("unset ANTHROPIC_AUTH_TOKEN; export "), "{}", told(1));
        assert!(told(2).starts_with("unset GOOGLE_GENAI_USE_VERTEXAI; export "), "{}", told(2));
        assert!(told(2).ends_with("GEMINI_API_KEY=shim GOOGLE_API_KEY=shim"), "{}", told(2));
    }

    #[test]
    fn a_long_list_is_broken_into_lines() {
        let mut text = String::new();
        wrapped(&mut text, &["A_LONG_VARIABLE_NAME"; 12]);
        assert_eq!((text.lines().count(), text.matches("A_LONG_VARIABLE_NAME").count()), (4, 12));
        assert!(text.lines().all(|line| line.len() <= 100) && text.ends_with("NAME.\n"));
    }
}
