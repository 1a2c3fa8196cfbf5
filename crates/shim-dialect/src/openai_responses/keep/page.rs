//! Requests about answers that are kept.

use bytes::Bytes;
use shim_ir::{Fault, FaultKind};

use super::super::decode::item_kind;
use super::chain::{Place, id, said};
use crate::Route;
use crate::common::{each_member, percent_decode, quoted};
use crate::keep::{Items, Link, Page, Wants};

/// Items on a page, where the client says nothing.
const ITEMS_DEFAULT: usize = 20;
/// Most items on a page.
const ITEMS_MAX: usize = 100;

/// What a request wants; its route holds what stands behind `/responses/`.
pub(super) fn wants(method: &str, route: &Route) -> Result<Wants, Fault> {
    let rest = route.model.as_deref().unwrap_or_default();
    let (id, what) = rest.split_once('/').map_or((rest, None), |(id, what)| (id, Some(what)));
    let id = id.to_owned();
    Ok(match (method, what) {
        ("GET", None) => {
            let stream = query(route, "stream").as_deref() == Some("true");
            let after = query(route, "starting_after").filter(|_| stream);
            Wants::Answer { id, stream, after: after.map(|text| number(&text)).transpose()? }
        }
        ("DELETE", None) => Wants::Delete { id },
        ("GET", Some("input_items")) => Wants::Input { id, page: asked(route)? },
        ("POST", Some("cancel")) => Wants::Cancel { id },
        _ => Wants::Other { id },
    })
}

/// The number of an event.
fn number(text: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(32).collect();
        let message = format!("starting_after: expected the number of an event, not \"{shown}\"");
        Fault::new(FaultKind::InvalidRequest, message).at("starting_after")
    })
}

fn query(route: &Route, name: &str) -> Option<String> {
    let pairs = route.query.as_deref()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| percent_decode(value)).next_back()
}

fn asked(route: &Route) -> Result<Page, Fault> {
    let invalid = |name: &str, message: String| Fault::new(FaultKind::InvalidRequest, message).at(name);
    let items_max = match query(route, "limit") {
        None => ITEMS_DEFAULT,
        Some(text) => text.parse().ok().filter(|limit| (1..=ITEMS_MAX).contains(limit)).ok_or_else(|| {
            let shown: String = text.chars().take(32).collect();
            invalid("limit", format!("limit: expected a number from 1 to {ITEMS_MAX}, not \"{shown}\""))
        })?,
    };
    let newest_first = match query(route, "order").as_deref() {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(_) => return Err(invalid("order", "order: expected \"asc\" or \"desc\"".to_owned())),
    };
    Ok(Page { items_max, newest_first, after: query(route, "after") })
}

/// A page of all that went into the last of `links`.
pub(super) fn page(links: &[Link<'_>], found: &Items, page: &Page) -> Result<Bytes, Fault> {
    let Some((last, before)) = links.split_last() else { return Ok(list(&[], false)) };
    let mut items = Vec::new();
    said(before, last.input, found, |place, item| {
        let place = if let Place::Input("", at) = place { Place::Input(last.id, at) } else { place };
        items.push((id(place, item), item.to_owned()));
    });
    if page.newest_first {
        items.reverse();
    }
    let start = match &page.after {
        None => 0,
        Some(after) => items.iter().position(|(id, _)| id == after).map(|at| at + 1).ok_or_else(|| {
            let shown: String = after.chars().take(128).collect();
            Fault::new(FaultKind::InvalidRequest, format!("after: there is no item '{shown}' in this list"))
                .at("after")
        })?,
    };
    let rest = items.get(start..).unwrap_or_default();
    let shown = rest.get(..page.items_max).unwrap_or(rest);
    Ok(list(shown, rest.len() > shown.len()))
}

/// A list as the API writes it.
fn list(items: &[(String, String)], more: bool) -> Bytes {
    let named = |item: Option<&(String, String)>| item.map_or("null".to_owned(), |(id, _)| quoted(id));
    let data: Vec<_> = items.iter().map(|(id, item)| shown(id, item)).collect();
    let (first, last) = (named(items.first()), named(items.last()));
    let data = data.join(",");
    format!(r#"{{"object":"list","data":[{data}],"first_id":{first},"last_id":{last},"has_more":{more}}}"#)
        .into()
}

/// An item as a list shows it: with an id, and a message in its long form.
fn shown(id: &str, item: &str) -> String {
    let is_message = item_kind(item) == "message";
    let mut members = vec![format!("\"id\":{}", quoted(id))];
    if is_message {
        members.push("\"type\":\"message\"".to_owned());
    }
    let assistant = crate::common::member(item, "role").is_some_and(|role| role.text() == "\"assistant\"");
    // An item was read before it was kept: it is an object.
    let _ = each_member(item, |member| match &*member.key {
        "id" => {}
        "type" if is_message => {}
        "content" if is_message && member.value.text().starts_with('"') => {
            let text = member.value.text();
            members.push(if assistant {
                format!(r#""content":[{{"type":"output_text","text":{text},"annotations":[]}}]"#)
            } else {
                format!(r#""content":[{{"type":"input_text","text":{text}}}]"#)
            });
        }
        key => members.push([&quoted(key), ":", member.value.text()].concat()),
    });
    format!("{{{}}}", members.join(","))
}
