//! The configuration file, applied anew when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use shim_config::Config;
use shim_gateway::Control;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

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

    /// Applies the file anew when it changes, and when a SIGHUP asks for it: files that hold secrets are read anew then,
    /// too. A broken one is refused with the reason; the old one goes on. `started` is what the process was made of.
    ///
    /// # Errors
    /// When the signal cannot be caught.
    pub(crate) fn watch(self, control: Arc<Control>, started: Config) -> Result<JoinHandle<()>> {
        // Caught from now on: it would end the process.
        let hangup = signal(SignalKind::hangup())?;
        Ok(tokio::spawn(self.go_on(control, started, hangup)))
    }

    async fn go_on(mut self, control: Arc<Control>, started: Config, mut hangup: Signal) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            let found = tokio::select! {
                _ = tick.tick() => self.look(),
                Some(()) = hangup.recv() => Some(self.look_again()),
            };
            match found {
                None => {}
                Some(Ok(text)) => apply(&self.file, &text, &control, &started),
                Some(Err(why)) => {
                    tracing::error!("the configuration cannot be read, the old one goes on: {why}");
                    control.refuse(why);
                }
            }
        }
    }

    /// What is in the file now, whether it is new or not.
    fn look_again(&mut self) -> Found {
        self.seen = read(&self.file).map_err(|error| format!("{error:#}"));
        self.applied.clone_from(&self.seen);
        self.applied.clone()
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

fn apply(file: &Path, text: &str, control: &Control, started: &Config) {
    let config = match validate(file, text) {
        Ok(config) => config,
        Err(problems) => {
            control.refuse(problems.to_string());
            return tracing::error!("the changed configuration is refused, the old one goes on:\n{problems}");
        }
    };
    let waits = needs_restart(started, &config);
    match control.reload(config) {
        Ok(number) => tracing::warn!(generation = %number, "the changed configuration is in force"),
        Err(error) => {
            return tracing::error!("the changed configuration is refused, the old one goes on: {error}");
        }
    }
    if !waits.is_empty() {
        tracing::warn!("what changed in {} takes a restart", waits.join(", "));
    }
    control.waits_for_restart(waits);
}

/// What listeners, store and log are made of, as far as it is not as it was when the process started.
fn needs_restart(started: &Config, new: &Config) -> Vec<&'static str> {
    let (old, server) = (&started.server, &new.server);
    let members = [
        ("server.listen", old.listen != server.listen),
        ("server.operators", old.operators != server.operators),
        ("server.operators_secret", old.operators_secret != server.operators_secret),
        ("server.tls", old.tls != server.tls),
        ("server.head_timeout", old.head_timeout != server.head_timeout),
        ("server.stall_timeout", old.stall_timeout != server.stall_timeout),
        ("server.drain_timeout", old.drain_timeout != server.drain_timeout),
        ("server.connections_max", old.connections_max != server.connections_max),
        ("server.workers", old.workers != server.workers),
        ("store.path", started.store != new.store),
        ("the ledger's members of store", started.ledger != new.ledger),
        ("store.responses_max and store.responses_age", started.responses != new.responses),
        ("the vault's members of store", started.vault != new.vault),
        ("log.format", started.log != new.log),
    ];
    members.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use shim_config::Config;

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
    fn a_look_that_is_asked_for_finds_the_file_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shim.toml");
        std::fs::write(&file, "first").unwrap();
        let mut watched = Watched::new(&file, "first".to_owned());
        assert_eq!(watched.look_again(), Ok("first".to_owned()), "though nothing changed");
        std::fs::write(&file, "second").unwrap();
        assert_eq!(watched.look_again(), Ok("second".to_owned()));
        assert_eq!((watched.look(), watched.look()), (None, None), "it was applied already");
    }

    #[test]
    fn what_the_process_is_made_of_takes_a_restart() {
        let old = Config::default();
        let with = |change: fn(&mut Config)| {
            let mut new = Config::default();
            change(&mut new);
            needs_restart(&old, &new)
        };
        assert!(with(|c| c.server.body_bytes_max = 1).is_empty());
        assert!(with(|c| c.timeouts.total = std::time::Duration::from_secs(1)).is_empty());
        assert_eq!(with(|c| c.server.workers = Some(3)), ["server.workers"]);
        assert_eq!(with(|c| c.store = "elsewhere".into()), ["store.path"]);
        assert_eq!(with(|c| c.ledger.days_max = 2), ["the ledger's members of store"]);
        assert_eq!(with(|c| c.log = shim_config::LogFormat::Off), ["log.format"]);
    }
}
