//! What is asked of the gateway before a client is started, which would tell its user much later and in words of its own.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use shim_dialect::{Codec as _, openai_chat::OpenaiChat};

use crate::client::Gateway;
use crate::console::error;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks whether a gateway answers, takes the key and knows the model.
///
/// # Errors
/// When it does not.
pub(super) fn check(gateway: &Gateway, key: &str, model: Option<&str>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async {
        let asked = tokio::time::timeout(PATIENCE, asked(gateway, key, model)).await;
        asked.with_context(|| format!("no gateway answers at {} within {PATIENCE:?}", gateway.url()))?
    });
    match asked {
        Err(why) if is_distrust(&why) => {
            error(&format!("{why:#}. The command may trust others, and is started all the same"));
            Ok(())
        }
        asked => asked,
    }
}

async fn asked(gateway: &Gateway, key: &str, model: Option<&str>) -> Result<()> {
    let path = match model {
        Some(model) => format!("/v1/models/{}", crate::keys::in_path(model)),
        None => "/v1/models".to_owned(),
    };
    let (status, told) = get(gateway, &path, key).await?;
    if status.is_success() {
        return Ok(());
    }
    if status != StatusCode::NOT_FOUND {
        bail!("the gateway at {} refuses: {told}", gateway.url());
    }
    // A model that no list has may be newer than the lists: a provider that is there is asked for it all the same.
    let (_, list) = get(gateway, "/v1/models", key).await?;
    match model {
        Some(model) if has_provider(&list, model) => {
            error(&format!("{told}. It is asked for all the same"));
            Ok(())
        }
        Some(_) | None => bail!("{told}"),
    }
}

/// The status, and what is told: the body, or what went wrong.
async fn get(gateway: &Gateway, path: &str, key: &str) -> Result<(StatusCode, String)> {
    let response = gateway.send(Method::GET, path, key, String::new()).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    let told = if status.is_success() {
        String::from_utf8_lossy(&body).into_owned()
    } else {
        OpenaiChat.decode_fault(status.as_u16(), &body).message
    };
    Ok((status, told))
}

/// Whether only the certificate was not trusted: clients have variables of their own that name whom to trust.
fn is_distrust(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData)
}

/// Whether a list of models has one of the same provider.
fn has_provider(list: &str, model: &str) -> bool {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let Some((provider, _)) = model.split_once('/') else { return false };
    let ids = list["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str());
    ids.filter_map(|id| id.split_once('/')).any(|(of, _)| of == provider)
}

#[cfg(test)]
mod tests {
    use super::has_provider;

    #[test]
    fn a_model_newer_than_its_providers_list_is_no_mistake() {
        let list = r#"{"data": [{"id": "chat"}, {"id": "openai/gpt-5.2"}]}"#;
        assert!(has_provider(list, "openai/gpt-9"));
        assert!(!has_provider(list, "opnai/gpt-9") && !has_provider(list, "chta"));
        assert!(!has_provider("<html>", "openai/gpt-9"));
    }
}
