//! Tells the linker in which order functions stand: those that run at the start and for every request together, so that
//! of the program's code hardly more is in memory than what runs. `cargo xtask order` writes the list; decision 10 says why.

use std::env;

/// The target whose linker is LLD by default, which takes such a list.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    println!("cargo::rerun-if-changed=functions.order");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);
    // Who chooses a linker may have chosen one that takes no list.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let chosen = env::var_os("RUSTC_LINKER").is_some() || flags.contains("link");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    if is("TARGET", TARGET) && is("PROFILE", "release") && !chosen {
        // A folder's name may hold a comma, which would end an argument behind `-Wl`. Names that went are no error: the
        // others stand in order all the same.
        for argument in
            [&*format!("--symbol-ordering-file={folder}/functions.order"), "--no-warn-symbol-ordering"]
        {
            println!("cargo::rustc-link-arg-bins=-Xlinker");
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}
