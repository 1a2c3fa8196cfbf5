//! `cargo xtask profile`: how often what runs for requests, for the compiler. `docs/decisions/0011-built-for-what-runs.md`
//! says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::lab::Lab;
use super::load;
use super::measure::Plan;
use super::order::wait;
use super::subject::Kind;
use super::{build, say};

/// Where it is kept, from the root of the repository. `crates/shim/rustc.sh` gives it to the compiler.
const FILE: &str = "crates/shim/requests.profdata";

/// What is asked of the gateway while it counts: `bench-load`'s arguments.
const LOADS: [&str; 7] = [
    "--connections 64 --prompt 1k --duration-ms 3000",
    "--connections 1 --prompt 1k --duration-ms 3000",
    "--connections 16 --prompt 64k --duration-ms 3000",
    "--connections 16 --prompt 1k --chunks 20 --duration-ms 3000",
    "--connections 16 --prompt 1k --dialect messages --duration-ms 3000",
    "--connections 16 --prompt 64k --dialect messages --duration-ms 3000",
    "--connections 16 --prompt 1k --dialect messages --chunks 20 --duration-ms 3000",
];

/// What `shim conform` runs counts so many times: it asks every dialect in every other, but each thing once, and what
/// hardly ever ran is built to be small.
const PROVEN_WEIGHT: u32 = 20;

/// A provider of each dialect, for `shim conform`, which asks none of them.
const PROVIDERS: [(&str, &str); 4] =
    [("c", "openai-chat"), ("r", "openai-responses"), ("a", "anthropic"), ("g", "gemini")];

/// The name by which the program is told where to write what it counted.
/// Source: <https://clang.llvm.org/docs/SourceBasedCodeCoverage.html#running-the-instrumented-program>, read 2026-11-26.
const WRITTEN_TO: &str = "LLVM_PROFILE_FILE";

/// Writes the profile anew.
pub(crate) fn run(root: &Path) -> Result<()> {
    let merger = merger()?;
    build(true)?;
    let mut lab = Lab::open(root, Plan::quick().patience)?;
    lab.shim = counting(root)?;
    let folder = lab.new_folder("profile")?;
    let mut inputs = vec![prove(&lab, &folder)?];
    for kind in [Kind::Shim, Kind::Recorded] {
        inputs.push(serve(&mut lab, kind, &folder)?);
    }
    ensure!(lab.total.failed + lab.total.wrong == 0, "requests failed: {:?}", lab.total.failures);
    // What never ran is left out: it is built as if there were no profile.
    let file = root.join(FILE);
    let mut merge = Command::new(&merger);
    merge.args(["merge", "-sparse", "-o"]).arg(&file).args(inputs);
    ensure!(merge.status()?.success(), "{} failed", merger.display());
    let size = fs::metadata(&file)?.len() >> 10;
    say(&format!(
        "{FILE} has {size} KiB; the next build from nothing is made with it, and then `cargo xtask order`"
    ))
}

/// A gateway that counts what it runs.
fn counting(root: &Path) -> Result<PathBuf> {
    let target = root.join("target/profile");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "-p", "shim"]).current_dir(root);
    cargo.env("CARGO_TARGET_DIR", &target).env("SHIM_PROFILE", "generate");
    ensure!(cargo.status().context("cannot start cargo")?.success(), "the gateway could not be built");
    Ok(target.join("release/shim"))
}

/// What it counts while it serves, as an argument of the merger.
fn serve(lab: &mut Lab, kind: Kind, folder: &Path) -> Result<String> {
    let counted = folder.join(format!("{}.profraw", kind.name().replace(' ', "-")));
    let with = ["env".to_owned(), format!("{WRITTEN_TO}={}", counted.display())];
    let mut subject = kind.start_under(lab, &with)?;
    wait(&mut subject)?;
    for args in LOADS {
        load::run(lab, &subject, args)?;
    }
    subject.running.take().context("it was started")?.terminate()?;
    Ok(counted.display().to_string())
}

/// What it counts while it asks every dialect in every other.
fn prove(lab: &Lab, folder: &Path) -> Result<String> {
    let (config, counted) = (folder.join("conform.toml"), folder.join("conform.profraw"));
    let provider = |(name, dialect)| {
        format!(
            "[providers.{name}]\ndialect = \"{dialect}\"\nbase_url = \"http://127.0.0.1:9\"\n\
             [aliases.of-{name}]\ntarget = \"{name}/m\"\n"
        )
    };
    fs::write(&config, PROVIDERS.map(provider).concat())?;
    let mut conform = Command::new(&lab.shim);
    conform.args(["conform", "--json", "--config"]).arg(&config).env(WRITTEN_TO, &counted);
    let output = conform.output().context("cannot start the gateway")?;
    ensure!(output.status.success(), "shim conform failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(format!("-weighted-input={PROVEN_WEIGHT},{}", counted.display()))
}

/// `llvm-profdata`, of the toolchain or of the system: any since LLVM 19 reads what rustc 1.95 writes.
fn merger() -> Result<PathBuf> {
    let output =
        Command::new("rustc").args(["--print", "target-libdir"]).output().context("cannot start rustc")?;
    let libraries = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let own = Path::new(&libraries).join("../bin/llvm-profdata");
    let debian = (19..40).rev().map(|version| format!("/usr/lib/llvm-{version}/bin/llvm-profdata").into());
    let all = [own].into_iter().chain(debian).chain(["llvm-profdata".into()]);
    let works =
        |path: &PathBuf| Command::new(path).arg("--version").output().is_ok_and(|ran| ran.status.success());
    all.into_iter()
        .find(works)
        .context("llvm-profdata is missing: `rustup component add llvm-tools`, or Debian's llvm-19")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    fn wrapper() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("crates/shim/rustc.sh")
    }

    /// What the compiler would be told.
    fn told(mode: Option<&str>, args: &[&str]) -> Vec<String> {
        let mut wrapper = Command::new(wrapper());
        wrapper.args(["printf", "%s\n"]).args(args).env_remove("SHIM_PROFILE");
        if let Some(mode) = mode {
            wrapper.env("SHIM_PROFILE", mode);
        }
        let output = wrapper.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// As cargo names the programs of a crate for its tests.
    #[test]
    fn variables_with_a_dash_in_their_names_reach_the_compiler() {
        let output = Command::new(wrapper()).arg("env").env("A_b-c", "1").output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().lines().any(|line| line == "A_b-c=1"));
    }

    #[test]
    fn only_what_is_optimised_at_the_end_is_built_with_the_profile() {
        let library = ["--crate-name", "a b", "-C", "opt-level=3", "-C", "linker-plugin-lto"];
        let program = ["--crate-name", "shim", "-C", "lto=fat"];
        for args in [&library[..], &program] {
            let with = told(None, args);
            assert_eq!(with[..args.len()], *args, "what cargo says stays as it is");
            let profile = with.iter().find_map(|arg| arg.strip_prefix("-Cprofile-use=")).unwrap();
            assert!(Path::new(profile).is_absolute() && Path::new(profile).is_file(), "{profile}");
            assert!(told(Some("generate"), args).contains(&"-Cprofile-generate".to_owned()));
            assert_eq!(told(Some("off"), args), args);
        }
        let unknown = Command::new(wrapper())
            .args(["true", "-C", "lto=fat"])
            .env("SHIM_PROFILE", "on")
            .output()
            .unwrap();
        assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("\"on\""));
        let others =
            ["-vV", "--crate-name", "build_script_build", "-C", "embed-bitcode=no", "-C", "opt-level=3"];
        assert_eq!(told(None, &others), others);
        assert_eq!(told(Some("generate"), &others), others);
    }
}
