//! What a ledger holds, read again and again.

use std::collections::HashMap;
use std::path::Path;

use shim_store::ledger::{Cursor, Filter, Reader, Verified};

/// A row, as far as it matters here.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    /// Input and output.
    pub(super) tokens: Option<(u64, u64)>,
    times: u32,
}

/// The rows of a ledger that grows.
pub(super) struct Rows {
    reader: Reader,
    by_id: HashMap<String, Row>,
    last: Option<Cursor>,
}

impl Rows {
    /// Of the store of a gateway that runs in `folder`.
    pub(super) fn of(folder: &Path) -> Self {
        Self { reader: Reader::new(&folder.join("shim-data")), by_id: HashMap::new(), last: None }
    }

    /// Reads what came since.
    pub(super) fn read(&mut self) {
        let by_id = &mut self.by_id;
        let all = self.reader.each(&Filter::default(), self.last, |row| {
            let sum = |of: &[u64]| of.iter().sum::<u64>();
            let tokens = row.usage.map(|usage| (sum(&usage[..5]), sum(&usage[5..])));
            let new = Row { outcome: row.outcome, reason: row.reason, tokens, times: 0 };
            by_id.entry(row.id).or_insert(new).times += 1;
            Ok(())
        });
        self.last = all.unwrap();
    }

    /// Reads all of it anew: rows of a file that was mended have other numbers.
    pub(super) fn read_anew(&mut self) {
        (self.by_id, self.last) = (HashMap::new(), None);
        self.read();
    }

    /// Checks that it holds.
    #[track_caller]
    pub(super) fn verify(&self) -> Verified {
        let verified = self.reader.verify(true).unwrap();
        assert!(verified.holds(), "{verified:#?}");
        verified
    }

    /// The row of an exchange; none is there twice.
    #[track_caller]
    pub(super) fn once(&self, id: &str) -> Option<&Row> {
        let row = self.by_id.get(id);
        assert!(row.is_none_or(|row| row.times == 1), "{id} is there {row:?}");
        row
    }

    pub(super) fn len(&self) -> u64 {
        self.by_id.len() as u64
    }
}
