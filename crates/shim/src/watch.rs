//! The configuration file, applied anew when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use shim_config::Server;
use shim_gateway::Control;

use crate::check::{read, validate};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a look at the file found: its text, or why it cannot be read.
type Found = Result<String, String>;

/// A configuration file, with the text of it that was last applied. Texts are compared and not times: a change just
/// after the start, or two within one tick of the file system's clock, counts like any other.
pub(crate) struct Watched {
    file: PathBuf,
    applied: Found,
    seen: Found,
}

impl Watched {
    /// `text`: what the configuration in force was read from.
    pub(crate) fn new(file: &Path, text: String) -> Self {
        Self { file: file.to_owned(), seen: Ok(text.clone()), applied: Ok(text) }
    }

    /// Applies the file anew when it changes. A broken one is refused with the reason; the old one goes on. `server` is
    /// what the listeners were made of.
    pub(crate) async fn watch(mut self, control: Arc<Control>, server: Server) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            match self.look() {
                None => {}
                Some(Ok(text)) => apply(&self.file, &text, &control, &server),
                Some(Err(why)) => {
                    tracing::error!("the configuration cannot be read, the old one goes on: {why}");
                    control.refuse(why);
                }
            }
        }
    }

    /// What is new in the file, once two looks found the same: one that is being written is left alone until it is whole.
    fn look(&mut self) -> Option<Found> {
        let found = read(&self.file).map_err(|error| format!("{error:#}"));
        let settled = found == self.seen;
        let new = settled && found != self.applied;
        self.seen = found;
        new.then(|| {
            self.applied.clone_from(&self.seen);
            self.applied.clone()
        })
    }
}

fn apply(file: &Path, text: &str, control: &Control, server: &Server) {
    let config = match validate(file, text) {
        Ok(config) => config,
        Err(problems) => {
            control.refuse(problems.to_string());
            return tracing::error!("the changed configuration is refused, the old one goes on:\n{problems}");
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

#[cfg(test)]
mod tests {
    use shim_config::Server;

    use super::{Watched, needs_restart};

    #[test]
    fn a_change_is_found_whenever_it_comes_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shim.toml");
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("second");
        let mut watched = Watched::new(&file, "first".to_owned());
        assert_eq!(watched.look(), None, "it may still be written");
        assert_eq!(watched.look(), Some(Ok("second".to_owned())), "changed before the first look");
        assert_eq!(watched.look(), None);
        for half in ["", "th", "thi"] {
            write(half);
            assert_eq!(watched.look(), None, "{half:?} is not whole");
        }
        write("third!");
        assert_eq!((watched.look(), watched.look()), (None, Some(Ok("third!".to_owned()))));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(watched.look(), None);
        assert!(watched.look().unwrap().unwrap_err().contains("cannot read"));
        assert_eq!(watched.look(), None, "told once");
        write("third!");
        assert_eq!(
            (watched.look(), watched.look()),
            (None, Some(Ok("third!".to_owned()))),
            "back, and told so"
        );
    }

    #[test]
    fn what_listeners_are_made_of_takes_a_restart() {
        let old = Server::default();
        assert!(needs_restart(&old, &Server { body_bytes_max: 1, ..old.clone() }).is_empty());
        assert_eq!(needs_restart(&old, &Server { workers: Some(3), ..old.clone() }), ["server.workers"]);
    }
}
