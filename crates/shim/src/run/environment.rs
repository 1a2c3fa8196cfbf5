//! The variables that SDKs and agents read: those that lead them to the gateway, and those of the user that would lead them
//! elsewhere, or have them present the user's own credential to it.
//!
//! Sources: <https://code.claude.com/docs/en/env-vars>, <https://github.com/anthropics/anthropic-sdk-python>,
//! <https://github.com/openai/openai-python>, <https://github.com/googleapis/python-genai>,
//! <https://github.com/google-gemini/gemini-cli/blob/main/docs/get-started/authentication.md>,
//! <https://aider.chat/docs/config/options.html>, read 2026-11-26.

/// Of OpenAI's SDKs: whom a request is charged to, which the gateway's key decides; and that it goes to Azure.
pub(crate) const OPENAI: [&str; 5] =
    ["OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID", "OPENAI_PROJECT", "OPENAI_API_TYPE"];

/// Of Anthropic's SDKs: sent beside the key, or before it.
pub(crate) const ANTHROPIC: [&str; 1] = ["ANTHROPIC_AUTH_TOKEN"];

/// Of Google's SDKs: that Vertex is asked, under both its names.
pub(crate) const GOOGLE: [&str; 2] = ["GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"];

/// Of Google's SDKs: the key that goes before `GEMINI_API_KEY`. It is given the gateway's, for some programs know no other.
pub(crate) const GOOGLE_KEY: &str = "GOOGLE_API_KEY";

/// Of agents: other logins, other places, and keys of the same providers under names of their own.
const AGENTS: [&str; 17] = [
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_API_BASE_URL",
    "ANTHROPIC_UNIX_SOCKET",
    "GOOGLE_GENAI_USE_GCA",
    "AIDER_API_KEY",
    "AIDER_ANTHROPIC_API_KEY",
    "AIDER_OPENAI_API_KEY",
    "AIDER_OPENAI_API_BASE",
    "AIDER_OPENAI_API_TYPE",
    "AIDER_OPENAI_API_VERSION",
    "AIDER_OPENAI_API_DEPLOYMENT_ID",
    "AIDER_OPENAI_ORGANIZATION_ID",
];

/// What programs look for a proxy in. Source: <https://curl.se/docs/manpage.html#ENVIRONMENT>, read 2026-11-26.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// And what they ask without it.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Headers of the user's own, one a line.
const HEADERS: &str = "ANTHROPIC_CUSTOM_HEADERS";

/// Headers that hold a credential.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"];

/// What leads clients to the gateway.
pub(super) fn given(url: &str, key: &str, model: Option<&str>) -> Vec<(String, String)> {
    let mut set = vec![
        ("OPENAI_BASE_URL", format!("{url}/v1")),
        ("OPENAI_API_BASE", format!("{url}/v1")),
        ("OPENAI_API_KEY", key.to_owned()),
        ("ANTHROPIC_BASE_URL", url.to_owned()),
        ("ANTHROPIC_API_KEY", key.to_owned()),
        ("GOOGLE_GEMINI_BASE_URL", url.to_owned()),
        ("GEMINI_API_KEY", key.to_owned()),
        ("SHIM_URL", url.to_owned()),
        ("SHIM_KEY", key.to_owned()),
    ];
    if let Some(model) = model {
        set.push(("ANTHROPIC_MODEL", model.to_owned()));
        set.push(("ANTHROPIC_DEFAULT_HAIKU_MODEL", model.to_owned()));
        set.push(("GEMINI_MODEL", model.to_owned()));
    }
    set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What becomes of variables that the user has set, as `own` knows them: another value, or none.
pub(super) fn of_the_user(
    own: impl Fn(&str) -> Option<String>,
    key: &str,
) -> Vec<(&'static str, Option<String>)> {
    let mut changed: Vec<_> =
        [&OPENAI[..], &ANTHROPIC, &GOOGLE, &AGENTS].concat().into_iter().map(|name| (name, None)).collect();
    if own(GOOGLE_KEY).is_some() {
        changed.push((GOOGLE_KEY, Some(key.to_owned())));
    }
    if let Some(headers) = own(HEADERS) {
        changed.push((HEADERS, Some(without_credentials(&headers))));
    }
    changed
}

/// Whether a proxy is set.
pub(super) fn has_proxy(own: impl Fn(&str) -> Option<String>) -> bool {
    PROXIES.iter().any(|name| own(name).is_some_and(|proxy| !proxy.is_empty()))
}

/// Where a proxy is set, that this host is asked without it: a gateway on this machine is not there for the proxy, which
/// would only be told the key.
pub(super) fn past_proxies(
    own: impl Fn(&str) -> Option<String>,
    host: &str,
) -> Vec<(&'static str, Option<String>)> {
    if !has_proxy(&own) {
        return Vec::new();
    }
    let list = |name: &str| own(name).filter(|list| !list.is_empty());
    let told = |name: &&'static str| {
        // Some programs read one of the two, and some one before the other.
        let list = list(name).or_else(|| EXCEPTIONS.iter().find_map(|name| list(name)));
        (*name, Some(list.map_or_else(|| host.to_owned(), |list| format!("{list},{host}"))))
    };
    EXCEPTIONS.iter().map(told).collect()
}

fn without_credentials(headers: &str) -> String {
    let credential = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        CREDENTIALS.contains(&name.as_str())
    };
    let kept: Vec<_> = headers.lines().filter(|line| !credential(line)).collect();
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{GOOGLE_KEY, HEADERS, given, of_the_user, past_proxies};

    #[test]
    fn a_gateway_on_this_machine_is_asked_past_proxies() {
        let own = |name: &str| match name {
            "http_proxy" => Some("http://proxy.test:3128".to_owned()),
            "NO_PROXY" => Some("intern.test".to_owned()),
            _ => None,
        };
        let wanted = [("NO_PROXY", "intern.test,127.0.0.1"), ("no_proxy", "intern.test,127.0.0.1")];
        assert_eq!(past_proxies(own, "127.0.0.1"), wanted.map(|(name, list)| (name, Some(list.to_owned()))));
        assert!(past_proxies(|_| None, "127.0.0.1").is_empty());
    }

    #[test]
    fn no_credential_of_the_user_goes_to_the_gateway() {
        let own = |name: &str| match name {
            GOOGLE_KEY => Some("theirs".to_owned()),
            HEADERS => Some("x-shim-record: off\nAuthorization : Bearer theirs".to_owned()),
            _ => None,
        };
        let changed = of_the_user(own, "gateway's");
        let of = |wanted: &str| {
            changed.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_deref())
        };
        assert_eq!(of(GOOGLE_KEY), Some(Some("gateway's")));
        assert_eq!(of(HEADERS), Some(Some("x-shim-record: off")));
        for name in
            ["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_VERTEX", "GOOGLE_GENAI_USE_VERTEXAI", "OPENAI_ORG_ID"]
        {
            assert_eq!(of(name), Some(None), "{name}");
        }
        let changed = of_the_user(|_| None, "gateway's");
        assert!(changed.iter().all(|(_, value)| value.is_none()), "what is not there is not made");
        let given = given("http://127.0.0.1:1", "k", None);
        assert!(given.iter().all(|(name, _)| !changed.iter().any(|(gone, _)| gone == name)));
    }
}
