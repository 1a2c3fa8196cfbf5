//! Tells the linker in which order functions stand: those that run at the start and for every request together, so that
//! of the program's code hardly more is in memory than what runs. `cargo xtask order` writes the list; decision 10 says why.

use std::env;
use std::path::Path;
use std::process::Command;

/// The target whose linker is LLD by default, which takes such a list.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where a compiler has its LLD, below its own folder. A distribution's may have none, and links with another.
const LLD: &str = "lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld/ld.lld";

fn main() {
    println!("cargo::rerun-if-changed=functions.order");
    // The compiler is given the profile by `rustc.sh`, of which cargo knows nothing.
    println!("cargo::rerun-if-changed=requests.profdata");
    println!("cargo::rerun-if-env-changed=SHIM_PROFILE");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|is| is == value);
    // Who chooses a linker may have chosen one that takes no list.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let chosen = env::var_os("RUSTC_LINKER").is_some() || flags.contains("link");
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    if is("TARGET", TARGET) && is("PROFILE", "release") && !chosen && has_lld() {
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

/// Whether the compiler has an LLD of its own.
fn has_lld() -> bool {
    let asked = env::var_os("RUSTC").map(|rustc| Command::new(rustc).args(["--print", "sysroot"]).output());
    let Some(Ok(told)) = asked else { return false };
    String::from_utf8(told.stdout).is_ok_and(|folder| Path::new(folder.trim()).join(LLD).is_file())
}
