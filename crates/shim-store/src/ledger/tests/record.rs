//! What is asked not to be recorded is never stored.

use std::time::Duration;

use proptest::prelude::*;
use shim_ir::{FaultKind, Loss, LossKind};
use shim_policy::record::Record;
use shim_telemetry::Outcome;

use super::words::search;
use super::{exchange, id, open, settings};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_asked_not_to_be_recorded_is_never_stored(levels in prop::collection::vec(0usize..3, 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open(&settings(folder.path()));
        for (n, level) in levels.iter().enumerate() {
            let mut exchange = exchange(n as u64);
            exchange.record = Record::parse(Record::NAMES[*level]).unwrap();
            // Noise does not compress: what is stored of it is found in the file as it is.
            let secret = format!("zq{n}x{level}-private-words");
            exchange.request.pieces = vec![secret.clone().into()];
            exchange.settled.outcome = Outcome::Failed;
            exchange.settled.fault = Some(FaultKind::UpstreamInvalid);
            exchange.settled.detail = Some(format!("detail {secret}").into());
            exchange.settled.losses = Some(vec![Loss::new(format!("path-{secret}"), LossKind::Dropped, "why")]);
            drop(ledger.settled(exchange));
        }
        prop_assert!(ledger.close(true));
        let reader = ledger.reader();
        prop_assert!(reader.index(Duration::MAX).unwrap());
        let mut bytes = Vec::new();
        for file in std::fs::read_dir(folder.path().join("ledger")).unwrap() {
            bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
        }
        let stored = String::from_utf8_lossy(&bytes);
        for (n, level) in levels.iter().enumerate() {
            let shown = reader.show(id(n as u64)).unwrap().unwrap();
            let record = Record::parse(&shown.row.record).unwrap();
            prop_assert_eq!(shown.request.is_some(), record == Record::Full);
            prop_assert_eq!(shown.row.detail.is_some(), record == Record::Full);
            prop_assert_eq!(shown.row.losses.is_some(), record > Record::Off);
            prop_assert_eq!(shown.row.duration_us.is_some(), record > Record::Off);
            // Usage always.
            prop_assert!(shown.row.usage.is_some());
            if *level < 2 {
                let said = format!("detail zq{n}x{level}-private");
                prop_assert!(!stored.contains(&said));
            }
            if *level == 0 {
                let said = format!("zq{n}x0-private");
                prop_assert!(!stored.contains(&said), "{}", said);
            }
        }
        let found = search(&reader, "private", &Default::default(), 100);
        prop_assert_eq!(found.len(), levels.iter().filter(|level| **level == 2).count());
    }
}
