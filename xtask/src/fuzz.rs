//! `cargo xtask fuzz`: every fuzz target for a while, on the pinned toolchain. See `docs/fuzzing.md`.
//!
//! The layout is cargo-fuzz's, the flags are its too, but for the sanitizer: that needs a nightly compiler, and finds
//! nothing in a program without `unsafe`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// How long a target runs unless told otherwise.
const SECONDS: u64 = 60;

/// How long a finding is made smaller.
const MINIMIZE_SECONDS: u64 = 30;

/// Larger inputs cost more than they find.
const INPUT_BYTES_MAX: usize = 32 << 10;

/// What makes the compiler count edges and compares for libFuzzer.
const FLAGS: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    targets: Vec<String>,
    seconds: u64,
}

/// The manifest of `fuzz/`, as far as it is read.
#[derive(Debug, Deserialize)]
struct Manifest {
    bin: Vec<Bin>,
}

#[derive(Debug, Deserialize)]
struct Bin {
    name: String,
}

/// Where a target's files are.
struct Folders {
    /// What the fuzzer keeps from one run to the next.
    corpus: PathBuf,
    /// What it starts from: our corpus and the recordings.
    seeds: PathBuf,
    /// Seeds and findings of the past, which are in the repository.
    kept: PathBuf,
    artifacts: PathBuf,
}

/// Runs the targets named in `args`, or all. `args` are those after `fuzz`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let fuzz = crate::root().join("fuzz");
    let options = parse(args, &targets(&fuzz)?)?;
    let seeds = fuzz.join("target/seeds");
    let into = seeds.display().to_string();
    crate::cargo(&["run", "--quiet", "-p", "shim-testkit", "--bin", "testkit-seeds", "--", &into], &[])?;
    let binaries = build(&fuzz, &options.targets)?;
    let mut found = Vec::new();
    for target in &options.targets {
        let folders = Folders::of(&fuzz, target)?;
        if !fuzzed(&binaries.join(target), &folders, options.seconds)? {
            minimize(&binaries.join(target), &folders)?;
            found.push(format!("{target}: see {}", folders.artifacts.display()));
        }
    }
    ensure!(found.is_empty(), "{} targets found something:\n{}", found.len(), found.join("\n"));
    Ok(())
}

/// The targets there are.
fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(fuzz.join("Cargo.toml")).context("fuzz/Cargo.toml")?;
    let manifest: Manifest = toml::from_str(&text).context("fuzz/Cargo.toml")?;
    Ok(manifest.bin.into_iter().map(|bin| bin.name).collect())
}

fn parse(args: &[String], known: &[String]) -> Result<Options> {
    let mut options = Options { targets: Vec::new(), seconds: SECONDS };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let seconds = args.next().and_then(|n| n.parse().ok());
            options.seconds = seconds.context("--seconds needs a number")?;
        } else if known.contains(arg) {
            options.targets.push(arg.clone());
        } else {
            bail!("no target {arg:?}; there are {}", known.join(", "));
        }
    }
    if options.targets.is_empty() {
        options.targets = known.to_vec();
    }
    Ok(options)
}

/// Builds targets and returns the folder they are in. A named platform keeps the flags from build scripts and macros.
fn build(fuzz: &Path, targets: &[String]) -> Result<PathBuf> {
    let host = host()?;
    let manifest = fuzz.join("Cargo.toml").display().to_string();
    let mut args = vec!["build", "--release", "--manifest-path", &manifest, "--target", &host];
    args.extend(targets.iter().flat_map(|target| ["--bin", target]));
    // A target folder of its own also where the environment names a common one.
    let folder = fuzz.join("target");
    let flags = FLAGS.join("\u{1f}");
    crate::cargo(
        &args,
        &[("CARGO_ENCODED_RUSTFLAGS", &flags), ("CARGO_TARGET_DIR", &folder.to_string_lossy())],
    )?;
    Ok(folder.join(host).join("release"))
}

/// The platform of the compiler.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}

impl Folders {
    fn of(fuzz: &Path, target: &str) -> Result<Self> {
        let of = |parent: &str| fuzz.join(parent).join(target);
        let folders = Self {
            corpus: of("corpus"),
            seeds: of("target/seeds"),
            kept: of("seeds"),
            artifacts: of("artifacts"),
        };
        fs::create_dir_all(&folders.corpus)?;
        fs::create_dir_all(&folders.artifacts)?;
        Ok(folders)
    }

    /// The file the fuzzer writes what it found to.
    fn finding(&self) -> PathBuf {
        self.artifacts.join("finding")
    }
}

/// Runs a target and prints how many inputs it ran, or what it found; false when it found something.
fn fuzzed(binary: &Path, folders: &Folders, seconds: u64) -> Result<bool> {
    let mut command = Command::new(binary);
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        "-timeout=10".to_owned(),
        "-rss_limit_mb=2048".to_owned(),
        "-verbosity=0".to_owned(),
        "-print_final_stats=1".to_owned(),
        format!("-exact_artifact_path={}", folders.finding().display()),
    ]);
    command.arg(&folders.corpus);
    command.args([&folders.seeds, &folders.kept].into_iter().filter(|folder| folder.is_dir()));
    let output = command.env("RUST_BACKTRACE", "0").output().with_context(|| binary.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let name = binary.file_name().unwrap_or_default().to_string_lossy();
    let runs = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    crate::say(&format!("{name}: {} runs", runs.unwrap_or("no").trim()))?;
    if !output.status.success() {
        crate::say(&text)?;
    }
    Ok(output.status.success())
}

/// Makes a finding smaller, into `smallest` beside it, and prints it.
fn minimize(binary: &Path, folders: &Folders) -> Result<()> {
    let smallest = folders.artifacts.join("smallest");
    fs::copy(folders.finding(), &smallest)?;
    let mut command = Command::new(binary);
    command.args(["-minimize_crash=1", "-timeout=10"]);
    command.arg(format!("-max_total_time={MINIMIZE_SECONDS}"));
    command.arg(format!("-exact_artifact_path={}", smallest.display()));
    command.arg(folders.finding());
    command.output().with_context(|| binary.display().to_string())?;
    let bytes = fs::read(&smallest)?;
    crate::say(&format!("{}: {}", smallest.display(), bytes.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::{Options, SECONDS, parse};

    #[test]
    fn options_are_read() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let known = words("json sse");
        let read = |line| parse(&words(line), &known);
        let wanted = |targets, seconds| Options { targets: words(targets), seconds };
        assert_eq!(read("").unwrap(), wanted("json sse", SECONDS));
        assert_eq!(read("sse --seconds 5").unwrap(), wanted("sse", 5));
        for wrong in ["xml", "--seconds", "--seconds x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
