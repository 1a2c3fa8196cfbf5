//! Answers that are kept: `store`, `previous_response_id`, `item_reference`, and what can be asked of them later.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses> (create, get, delete, cancel, input-items) and
//! <https://platform.openai.com/docs/guides/conversation-state>, read 2026-11-26.

mod ask;
mod chain;
mod gather;
mod page;
mod replay;

use bytes::Bytes;
use serde_json::json;
use shim_ir::{Fault, FaultKind, Retry};

use super::OpenaiResponses;
use crate::keep::{Gather, Items, Keep, KeepAsk, KeptAnswer, Link, Page, Refusal, Wants};
use crate::{DecodeError, Route};

impl Keep for OpenaiResponses {
    fn ask(&self, body: &str) -> Result<KeepAsk, DecodeError> {
        ask::ask(body)
    }

    fn rebuild(
        &self,
        body: &str,
        links: &[Link<'_>],
        found: &Items,
        own: bool,
    ) -> Result<String, DecodeError> {
        chain::rebuild(body, links, found, own)
    }

    fn answer(&self, body: &str) -> Option<KeptAnswer> {
        gather::answer(body)
    }

    fn gather(&self) -> Box<dyn Gather> {
        Box::new(gather::Gatherer::default())
    }

    fn items(&self, link: &Link<'_>) -> Vec<(String, String)> {
        chain::items(link)
    }

    fn references(&self, input: &str) -> Vec<String> {
        ask::references(input)
    }

    fn wants(&self, method: &str, route: &Route) -> Result<Wants, Fault> {
        page::wants(method, route)
    }

    fn page(&self, links: &[Link<'_>], found: &Items, page: &Page) -> Result<Bytes, Fault> {
        page::page(links, found, page)
    }

    fn replay(&self, answer: &str, after: Option<u64>) -> Option<Bytes> {
        replay::replay(answer, after)
    }

    fn deleted(&self, id: &str) -> Bytes {
        json!({ "id": id, "object": "response", "deleted": true }).to_string().into()
    }

    fn refuse(&self, refusal: Refusal<'_>) -> Fault {
        refused(refusal)
    }
}

/// The provider's own words, as seen in <https://github.com/maximhq/bifrost/issues/2441> and
/// <https://github.com/router-for-me/CLIProxyAPI/issues/2954>, read 2026-11-26: clients look for the code.
fn refused(refusal: Refusal<'_>) -> Fault {
    let invalid = |message: String| Fault::new(FaultKind::InvalidRequest, message);
    let absent = |message: String| {
        let mut fault = invalid(message);
        fault.status = Some(404);
        fault
    };
    match refusal {
        Refusal::Previous(id) => {
            let mut fault = invalid(format!("Previous response with id '{}' not found.", shown(id)));
            fault.words = Some("previous_response_not_found".to_owned());
            // Another target may be the one that keeps it.
            fault.retry = Retry::OtherTarget;
            fault.at("previous_response_id")
        }
        Refusal::Unfinished(id) => invalid(format!(
            "Previous response with id '{}' is not complete here: only the provider that works on it can go on from it.",
            shown(id)
        ))
        .at("previous_response_id"),
        Refusal::Answer(id) => absent(format!("Response with id '{}' not found.", shown(id))),
        Refusal::Item(id) => {
            let mut fault = absent(format!(
                "Item with id '{}' not found. Items are not persisted when `store` is set to false. Try again with \
                 `store` set to true, or remove this item from your input.",
                shown(id)
            ));
            fault.retry = Retry::OtherTarget;
            fault.at("input")
        }
        Refusal::Cancel => invalid("Cannot cancel a synchronous response.".to_owned()),
        Refusal::Stream => invalid(
            "This response cannot be streamed because it was not created with background=true.".to_owned(),
        )
        .at("stream"),
    }
}

/// An id as a message shows it.
fn shown(id: &str) -> String {
    id.chars().take(128).collect()
}
