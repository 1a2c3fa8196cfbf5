//! Routes: what is asked of an upstream is what was asked here, of another model.

use http::uri::PathAndQuery;
use shim_dialect::{Codec, Operation};
use shim_ir::ModelId;

use crate::DIALECTS;

/// Lines of `data`: method, path with query, and the model to ask for instead.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (method, target, model) = (lines.next(), lines.next(), lines.next());
    let Some(target) = target.and_then(|target| target.parse::<PathAndQuery>().ok()) else { return };
    let Ok(model) = ModelId::new(model.unwrap_or("a-model")) else { return };
    for (_, codec) in DIALECTS {
        of_codec(codec, method.unwrap_or_default(), &target, &model);
    }
}

fn of_codec(codec: &dyn Codec, method: &str, target: &PathAndQuery, model: &ModelId) {
    let Some(route) = codec.route(method, target.path(), target.query()) else { return };
    let upstream = codec.upstream_path(&route, model.as_str());
    let parsed = upstream.parse::<PathAndQuery>();
    assert!(parsed.is_ok() && upstream.starts_with('/'), "{upstream}: {parsed:?}");
    let (path, query) =
        upstream.split_once('?').map_or((&*upstream, None), |(path, query)| (path, Some(query)));
    assert!(!path.contains('#'), "{upstream}");
    let credential = |pair: &str| pair == "key" || pair.starts_with("key=");
    assert!(!query.unwrap_or_default().split('&').any(credential), "a credential goes on: {upstream}");
    if route.operation != Operation::Models {
        let again = codec.route(method, path, query);
        assert_eq!(again.map(|again| again.operation), Some(route.operation), "{upstream}");
    }
}
