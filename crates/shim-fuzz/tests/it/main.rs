//! Every target over the seeds, over what was found before, and over damaged ones.

#![expect(clippy::expect_used, reason = "a test says what is wrong by failing")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shim_fuzz::{TARGETS, run};
use shim_testkit::{corpus, replay};

/// What a target starts from: what `fuzz/seeds` keeps for it, and the corpus.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = kept(&shim_testkit::root().join("fuzz/seeds").join(target));
    let (folder, what) = target.rsplit_once('_').unwrap_or((target, ""));
    let folders = replay::FOLDERS.into_iter().filter(|name| *name == folder || what.is_empty());
    for folder in folders {
        for case in corpus::cases(folder).expect("the corpus reads") {
            let body = match what {
                "request" => case.request.map(String::into_bytes),
                "stream" if !case.streamed => None,
                _ => Some(case.answer),
            };
            seeds.extend(body.map(|body| (format!("{folder}/{}", case.name), body)));
        }
    }
    seeds
}

/// The files of a folder; none where there is no such folder.
fn kept(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let paths = files.map(|file| file.expect("the folder reads").path());
    paths.map(|path| (path.display().to_string(), fs::read(&path).expect("it reads"))).collect()
}

#[test]
fn every_seed_obeys_the_laws() {
    let mut broken = Vec::new();
    for target in TARGETS {
        for (name, data) in seeds(target) {
            if std::panic::catch_unwind(|| run(target, &data)).is_err() {
                broken.push(format!("{target}: {name}"));
            }
        }
    }
    assert!(broken.is_empty(), "{} seeds break a law:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn damaged_seeds_obey_the_laws() {
    let config = Config { cases: 128, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    for target in TARGETS {
        let seeds = seeds(target);
        let damage = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<[u8; 2]>());
        let outcome = runner.run(&damage, |(which, at, bytes)| {
            let mut data = if seeds.is_empty() { Vec::new() } else { which.get(&seeds).1.clone() };
            let at = at.index(data.len() + 1);
            data.splice(at..(at + 1).min(data.len()), bytes);
            run(target, &data);
            Ok(())
        });
        assert!(outcome.is_ok(), "{target}: {outcome:?}");
    }
}

#[test]
fn every_target_has_a_binary() {
    let manifest = fs::read_to_string(shim_testkit::root().join("fuzz/Cargo.toml")).expect("it reads");
    let names = manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(names.collect::<Vec<_>>(), TARGETS);
}
