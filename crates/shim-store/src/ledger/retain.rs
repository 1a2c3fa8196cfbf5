//! What is kept for how long: whole days go, the oldest first. What they came to stays in the totals.

use std::path::Path;

use super::day::{Day, days, remove, size};
use super::file::DayFile;
use super::settings::Settings;
use super::{totals, words};
use crate::StoreError;

/// What retention came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retained {
    /// Days that went.
    pub(super) gone: Vec<Day>,
    /// Bytes that are left.
    pub(super) bytes: u64,
    /// Whether they are within the bound.
    pub(super) within: bool,
}

/// Lets go of days beyond the bounds, but of none that is written to: `open` are those, the last of which is today's. When
/// what is left is too large, it lets go of bodies of the day that is.
///
/// # Errors
/// When the disk refuses.
pub(super) fn retain(settings: &Settings, open: &[DayFile], today: Day) -> Result<Retained, StoreError> {
    let folder = settings.ledger();
    let listed = days(&folder).map_err(|source| StoreError::Folder { path: folder.clone(), source })?;
    let sizes: Vec<(Day, u64)> = listed.into_iter().map(|day| (day, bytes(&folder, day))).collect();
    let mut retained = Retained { bytes: sizes.iter().map(|(_, bytes)| bytes).sum(), ..Retained::default() };
    let oldest = Day((today.0 + 1).saturating_sub(settings.days_max.max(1)));
    for (day, bytes) in &sizes {
        let busy = *day >= today || open.iter().any(|file| file.day == *day);
        if busy || (*day >= oldest && retained.bytes <= settings.bytes_max) {
            continue;
        }
        totals::keep(&folder, *day)?;
        let gone = remove(&day.file(&folder)).and_then(|()| remove(&day.words_file(&folder)));
        gone.map_err(|source| StoreError::Folder { path: day.file(&folder), source })?;
        retained.bytes = retained.bytes.saturating_sub(*bytes);
        retained.gone.push(*day);
    }
    sweep(&folder)?;
    retained.within = retained.bytes <= settings.bytes_max;
    if !retained.within {
        trim(settings, open, &folder, &mut retained)?;
    }
    Ok(retained)
}

/// Removes indexes of days that are gone: who searched just then may have made one anew.
fn sweep(folder: &Path) -> Result<(), StoreError> {
    let unusable = |source| StoreError::Folder { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".words.db"));
        if let Some(day) = stem.and_then(|stem| stem.parse::<Day>().ok())
            && !day.file(folder).exists()
        {
            remove(&day.words_file(folder)).map_err(unusable)?;
        }
    }
    Ok(())
}

/// Bytes of all that belongs to a day.
fn bytes(folder: &Path, day: Day) -> u64 {
    size(&day.file(folder)) + size(&day.words_file(folder))
}

/// Only days that are written to are left, and they are too large: their bodies go, and the words found in them, until an
/// eighth of the bound is free.
fn trim(
    settings: &Settings,
    open: &[DayFile],
    folder: &Path,
    retained: &mut Retained,
) -> Result<(), StoreError> {
    for file in open {
        let (own, words) = (size(&file.day.file(folder)), size(&file.day.words_file(folder)));
        let others = retained.bytes.saturating_sub(own + words);
        let most = (settings.bytes_max / 8 * 7).saturating_sub(others + words);
        if own > most {
            file.trim(most)?;
            words::forget(folder, file.day, file.first_with_body()?)?;
        }
        retained.bytes = others + bytes(folder, file.day);
    }
    retained.within = retained.bytes <= settings.bytes_max;
    Ok(())
}
