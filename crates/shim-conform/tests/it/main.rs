//! The proof, proved.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod page;
mod spoilt;
mod square;

use shim_config::Config;

/// A configuration with a provider and an alias for each dialect.
fn square() -> Config {
    config(
        "[providers.chat-lab]\ndialect = \"openai-chat\"\nbase_url = \"https://chat.test/v1\"\nkey = { env = \"A\" }\n\
         [providers.responses-lab]\ndialect = \"openai-responses\"\nbase_url = \"https://responses.test/deep/v1\"\nkey = { env = \"B\" }\n\
         [providers.messages-lab]\ndialect = \"anthropic\"\nbase_url = \"https://messages.test\"\nkey = { file = \"key\" }\n\
         [providers.content-lab]\ndialect = \"gemini\"\nbase_url = \"http://content.test:8080\"\n\
         [aliases.a-chat]\ntarget = \"chat-lab/model\"\n\
         [aliases.b-responses]\ntarget = \"responses-lab/model\"\n\
         [aliases.c-messages]\ntarget = \"messages-lab/model\"\n\
         [aliases.d-content]\ntarget = \"content-lab/model\"\n",
    )
}

fn config(text: &str) -> Config {
    let known: Vec<&str> = shim_catalog::providers().iter().map(|provider| provider.id.as_str()).collect();
    shim_config::parse(text, "test.toml", &known).unwrap()
}
