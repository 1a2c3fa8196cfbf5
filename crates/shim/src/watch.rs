//! The configuration file, applied anew when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shim_config::Server;
use shim_gateway::Control;

use crate::check::load;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Applies the file anew when it changes. A broken one is refused with the reason; the old one goes on. `server` is what
/// the listeners were made of.
pub(crate) async fn watch_file(file: PathBuf, control: Arc<Control>, server: Server) {
    let mut seen = stamp(&file);
    let mut tick = tokio::time::interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        let now = stamp(&file);
        if now != seen {
            seen = now;
            apply(&file, &control, &server);
        }
    }
}

fn apply(file: &Path, control: &Control, server: &Server) {
    let config = match load(file) {
        Ok(Ok(config)) => config,
        Ok(Err(problems)) => {
            control.refuse(problems.to_string());
            return tracing::error!("the changed configuration is refused, the old one goes on:\n{problems}");
        }
        Err(error) => {
            control.refuse(format!("{error:#}"));
            return tracing::error!("the configuration cannot be read, the old one goes on: {error:#}");
        }
    };
    let waits = needs_restart(server, &config.server);
    match control.reload(config) {
        Ok(number) => tracing::warn!(generation = %number, "the changed configuration is in force"),
        Err(error) => tracing::error!("the changed configuration is refused, the old one goes on: {error}"),
    }
    if !waits.is_empty() {
        tracing::warn!("what changed in {} takes a restart", waits.join(", "));
    }
}

/// The members of `[server]` that listeners are made of, as far as they changed.
fn needs_restart(old: &Server, new: &Server) -> Vec<&'static str> {
    let members = [
        ("server.listen", old.listen != new.listen),
        ("server.operators", old.operators != new.operators),
        ("server.operators_secret", old.operators_secret != new.operators_secret),
        ("server.tls", old.tls != new.tls),
        ("server.head_timeout", old.head_timeout != new.head_timeout),
        ("server.stall_timeout", old.stall_timeout != new.stall_timeout),
        ("server.drain_timeout", old.drain_timeout != new.drain_timeout),
        ("server.connections_max", old.connections_max != new.connections_max),
        ("server.workers", old.workers != new.workers),
    ];
    members.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}

/// What tells one version of a file from the next.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = std::fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

#[cfg(test)]
mod tests {
    use shim_config::Server;

    use super::needs_restart;

    #[test]
    fn what_listeners_are_made_of_takes_a_restart() {
        let old = Server::default();
        assert!(needs_restart(&old, &Server { body_bytes_max: 1, ..old.clone() }).is_empty());
        assert_eq!(needs_restart(&old, &Server { workers: Some(3), ..old.clone() }), ["server.workers"]);
    }
}
