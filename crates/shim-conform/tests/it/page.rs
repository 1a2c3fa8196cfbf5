//! The published page is what the proof finds.

use shim_conform::{Scripts, Wish, page, prove};

#[tokio::test]
async fn the_conformance_page_is_current() {
    let report = prove(crate::square(), &Wish::default(), &Scripts::shipped()).await.unwrap();
    let found = page(&report);
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(place, &found).unwrap();
    }
    let published = std::fs::read_to_string(place).unwrap_or_default();
    assert!(found == published, "docs/conformance.md is not current: `cargo xtask bless conformance`");
}
