//! What is read back from a disk, for any bytes: records of the vault, and answers that requests go on from.

use shim_dialect::openai_responses::OpenaiResponses;
use shim_dialect::{Codec, Items, Keep, Link, Page};
use shim_policy::vault::{read, write};
use shim_wire::frame::{FRAME_BYTES_MAX, Framer, Framing};
use shim_wire::scan::{self, Limits};

use crate::halves;

/// A record: bytes that are one say the same when they are written anew.
pub(crate) fn record(data: &[u8]) {
    if let Ok(kept) = read(data) {
        assert_eq!(read(&write(&kept)).as_ref(), Ok(&kept));
    }
}

/// An exchange that was kept, its input before its answer: what goes on from it, and the list of what went into it, are
/// JSON where what was kept is.
pub(crate) fn exchange(data: &[u8]) {
    let Some(keep) = OpenaiResponses.keep() else { return };
    gathered(keep, data);
    let [Ok(input), Ok(answer)] = halves(data).map(std::str::from_utf8) else { return };
    let is_json = |text: &str| scan::check(text.as_bytes(), Limits::default()).is_ok();
    let sound = (input.is_empty() || is_json(input)) && is_json(answer);
    let link = Link { id: "resp_1", input, answer };
    let items: Items = keep.items(&link).into_iter().collect();
    for id in keep.references(input).into_iter().chain(items.keys().cloned()) {
        let body = format!(
            r#"{{"model":"m","previous_response_id":"resp_1","input":[{{"type":"item_reference","id":{}}}]}}"#,
            serde_json::Value::from(id)
        );
        for own in [false, true] {
            let Ok(whole) = keep.rebuild(&body, &[link], &items, own) else { continue };
            let unnamed = || keep.ask(&whole).is_ok_and(|ask| ask.previous.is_none());
            assert!(!sound || unnamed(), "{whole}");
        }
    }
    let page = Page { items_max: 3, newest_first: true, after: None };
    if let (Ok(page), true) = (keep.page(&[link], &items, &page), sound) {
        assert!(scan::check(&page, Limits { depth_max: scan::DEPTH_CEILING }).is_ok(), "{page:?}");
    }
}

/// An answer is kept as it was told, whole or at the end of a stream.
fn gathered(keep: &dyn Keep, data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(kept) = keep.answer(text)
    {
        assert!(text.contains(&kept.text), "{} is not in {text}", kept.text);
    }
    let mut gather = keep.gather();
    let mut framer = Framer::new(Framing::Sse, FRAME_BYTES_MAX);
    let mut kept = Vec::new();
    let _ = framer.push(data, &mut |frame| kept.extend(gather.frame(frame)));
    assert!(kept.len() <= 1, "{kept:?}");
}
