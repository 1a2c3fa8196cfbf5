//! What `shim up` says once it serves.

use std::net::SocketAddr;

use serde_json::json;
use shim_config::Config;

use crate::console::{put, say};
use crate::found::{Found, looked_for};

/// The same as JSON.
pub(crate) fn tell_json(found: &[Found], clients: SocketAddr, operators: SocketAddr) {
    let list: Vec<_> = found.iter().map(|f| json!({ "provider": f.provider.id, "by": f.by })).collect();
    say(&json!({ "clients": clients.to_string(), "operators": operators.to_string(), "found": list })
        .to_string());
}

/// Says what was found, what is served, and a line to copy for each SDK and agent.
pub(crate) fn tell(found: &[Found], clients: SocketAddr, operators: SocketAddr, config: &Config) {
    let mut text = String::from("\n  shim is serving\n\n");
    for found in found {
        let dialects: Vec<_> =
            found.provider.endpoints.iter().filter_map(|e| e.dialect()).map(|d| d.name()).collect();
        text.push_str(&format!(
            "  found   {:<14} {:<22} {}\n",
            found.provider.name,
            found.by,
            dialects.join(", ")
        ));
    }
    if found.is_empty() {
        let (variables, ports) = looked_for();
        text.push_str(
            "  found   no key and no model server. Looked for the environment variables\n          ",
        );
        text.push_str(&variables.join(", "));
        text.push_str("\n          and for servers on the ports ");
        text.push_str(&ports.join(", "));
        text.push_str(".\n          Until there is one, `demo/hello` answers: built in, without a model.\n");
    }
    for (alias, target) in &config.aliases {
        text.push_str(&format!("  alias   {alias} → {}\n", target.target));
    }
    text.push_str(&format!("\n  clients   http://{clients}     operators   http://{operators}\n\n"));
    text.push_str("  copy one of these:\n");
    for (what, line) in [
        ("OpenAI SDKs", format!("export OPENAI_BASE_URL=http://{clients}/v1 OPENAI_API_KEY=shim")),
        ("Anthropic SDKs", format!("export ANTHROPIC_BASE_URL=http://{clients} ANTHROPIC_API_KEY=shim")),
        ("Google Gen AI", format!("export GOOGLE_GEMINI_BASE_URL=http://{clients} GEMINI_API_KEY=shim")),
        ("Claude Code", "shim run -- claude".to_owned()),
        ("Codex", "shim run -- codex".to_owned()),
        ("Gemini CLI", "shim run -- gemini".to_owned()),
        ("opencode", "shim run -- opencode".to_owned()),
        ("a first word", "shim chat chat \"Hello\"".to_owned()),
        (
            "curl",
            format!(
                "curl http://{clients}/v1/chat/completions -d '{{\"model\":\"chat\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
            ),
        ),
        ("swap the model", "shim swap chat --to PROVIDER/MODEL --now".to_owned()),
    ] {
        text.push_str(&format!("    {what:<15} {line}\n"));
    }
    text.push('\n');
    put(&text);
}
