//! The bounds of the vault, in `[store]`.

use std::ops::Range;

use crate::problem::Gather;
use crate::{Vault, parse_size, raw};

/// Longest life that may be asked for: ten years, far from the edge of what clocks can subtract.
const DAYS_MAX: u32 = 3650;

/// What `[store]` says of the vault.
pub(crate) fn bounds(store: Option<&(raw::Store, Range<usize>)>, gather: &mut Gather<'_>) -> Vault {
    let mut vault = Vault::default();
    let Some((store, span)) = store else { return vault };
    match store.vault_bytes_max.as_deref().map(parse_size) {
        Some(Ok(bytes)) => vault.bytes_max = bytes,
        Some(Err(why)) => gather.add("store.vault_bytes_max", span.clone(), why),
        None => {}
    }
    match store.vault_days_max {
        Some(days) if (1..=DAYS_MAX).contains(&days) => vault.days_max = days,
        Some(days) => {
            let why = format!("{days} days is out of range; from 1 to {DAYS_MAX}");
            gather.add("store.vault_days_max", span.clone(), why);
        }
        None => {}
    }
    vault
}

#[cfg(test)]
mod tests {
    use crate::{Vault, parse};

    #[test]
    fn the_bounds_are_read_or_refused() {
        let text = "[store]\nvault_bytes_max = \"1GiB\"\nvault_days_max = 7\n";
        assert_eq!(parse(text, "f", &[]).unwrap().vault, Vault { bytes_max: 1 << 30, days_max: 7 });
        assert_eq!(parse("[store]\n", "f", &[]).unwrap().vault, Vault::default());
        for (line, told) in [
            ("vault_bytes_max = \"1GB\"", "store.vault_bytes_max: \"1GB\" is no size"),
            ("vault_days_max = 0", "store.vault_days_max: 0 days is out of range"),
            ("vault_days_max = -1", "store"),
        ] {
            let problems = parse(&format!("[store]\n{line}\n"), "f", &[]).unwrap_err().to_string();
            assert!(problems.contains(told), "{problems}");
        }
    }
}
