//! `[store]`, and `record` wherever it may stand.

use std::ops::Range;

use shim_policy::record::Record;
use toml::Spanned;
use toml::de::DeValue;

use super::Parser;
use crate::problem::did_you_mean;
use crate::{Config, Ledger, raw};

/// Smaller queues would have no room for one exchange.
const QUEUE_BYTES_MIN: usize = 64 << 10;

impl Parser<'_> {
    /// Takes `[store]` into `config`.
    pub(super) fn store(&mut self, store: Option<(raw::Store, Range<usize>)>, config: &mut Config) {
        let Some((raw, span)) = store else { return };
        let default = Ledger::default();
        let strict = match raw.durability.as_deref() {
            None | Some("window") => false,
            Some("strict") => true,
            Some(other) => {
                let hint = did_you_mean(other, ["window", "strict"]);
                let message =
                    format!("there is no durability \"{other}\"; there are window and strict{hint}");
                self.gather.add("store.durability", span.clone(), message);
                false
            }
        };
        let bytes_max =
            self.size(raw.ledger_bytes_max.as_deref(), "store.ledger_bytes_max", &span, default.bytes_max);
        let record_bytes_max = self.size(
            raw.record_bytes_max.as_deref(),
            "store.record_bytes_max",
            &span,
            default.record_bytes_max,
        );
        let queue_bytes_max =
            self.size(raw.queue_max.as_deref(), "store.queue_max", &span, default.queue_bytes_max);
        if queue_bytes_max < QUEUE_BYTES_MIN {
            let message = "a queue of less than 64KiB has no room for exchanges";
            self.gather.add("store.queue_max", span.clone(), message);
        }
        if raw.ledger_days_max == Some(0) {
            self.gather.add("store.ledger_days_max", span.clone(), "today is one day: at least 1");
        }
        let commit_every =
            self.duration(raw.commit_every.as_deref(), "store.commit_every", &span, default.commit_every);
        let days_max = raw.ledger_days_max.unwrap_or(default.days_max);
        config.store = raw.path.unwrap_or(std::mem::take(&mut config.store));
        config.ledger =
            Ledger { strict, commit_every, queue_bytes_max, bytes_max, days_max, record_bytes_max };
    }

    /// Reads `record`, where it stands alone.
    pub(super) fn record(&mut self, value: Spanned<DeValue<'_>>) -> Record {
        let span = value.span();
        let read = self.read::<String>("record", value);
        let word = read.map(|(word, _)| word);
        self.recorded(word.as_deref(), "record", &span).unwrap_or_default()
    }

    /// Reads the word of a `record`.
    pub(super) fn recorded(&mut self, word: Option<&str>, path: &str, at: &Range<usize>) -> Option<Record> {
        let word = word?;
        let record = Record::parse(word);
        if record.is_none() {
            let hint = did_you_mean(word, Record::NAMES);
            let message = format!("\"{word}\" is neither full, usage nor off{hint}");
            self.gather.add(path, at.clone(), message);
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shim_policy::record::Record;

    use crate::{Ledger, parse};

    #[test]
    fn the_ledger_is_as_the_file_says() {
        let text = "record = \"usage\"\n[store]\npath = \"x\"\ndurability = \"strict\"\ncommit_every = \"5ms\"\n\
                    queue_max = \"1MiB\"\nledger_bytes_max = \"2GiB\"\nledger_days_max = 7\nrecord_bytes_max = \"4KiB\"\n\
                    [aliases.a]\ntarget = \"demo/hello\"\nrecord = \"off\"\n\
                    [keys.k]\nsecret = { env = \"K\" }\nrecord = \"usage\"\n";
        let config = parse(text, "f", &[]).unwrap();
        let wanted = Ledger {
            strict: true,
            commit_every: Duration::from_millis(5),
            queue_bytes_max: 1 << 20,
            bytes_max: 2 << 30,
            days_max: 7,
            record_bytes_max: 4 << 10,
        };
        assert_eq!((config.ledger, config.record), (wanted, Record::Usage));
        assert_eq!(config.aliases.values().next().unwrap().record, Some(Record::Off));
        assert_eq!(config.keys.values().next().unwrap().grant.record, Some(Record::Usage));
        let silent = parse("", "f", &[]).unwrap();
        assert_eq!((silent.ledger, silent.record), (Ledger::default(), Record::Full));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let text = "record = \"ful\"\n[store]\ndurability = \"strickt\"\nqueue_max = \"1B\"\nledger_days_max = 0\n\
                    [aliases.a]\ntarget = \"demo/hello\"\nrecord = \"none\"\n";
        let told = parse(text, "f", &[]).unwrap_err().to_string();
        for wanted in [
            "record: \"ful\" is neither full, usage nor off; did you mean \"full\"?",
            "store.durability: there is no durability \"strickt\"; there are window and strict; did you mean \"strict\"?",
            "store.queue_max: a queue of less than 64KiB",
            "store.ledger_days_max: today is one day",
            "aliases.a.record: \"none\" is neither",
        ] {
            assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
        }
    }
}
