//! Writes the corpus and, where present, the recordings as fuzzing seeds: `testkit-seeds FOLDER` fills
//! `FOLDER/<target>/` for every target of `fuzz/`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use shim_testkit::recordings::{self, Recording};
use shim_testkit::{corpus, replay};

/// Larger seeds slow a fuzzer down more than they teach it.
const SEED_BYTES_MAX: usize = 16 << 10;

/// Folders of the corpus and the families of recordings in the same dialect.
const FAMILIES: [(&str, &[&str]); 4] = [
    ("openai_chat", &["openai.chat"]),
    ("openai_responses", &["openai.responses"]),
    ("anthropic_messages", &["anthropic.messages"]),
    ("gemini_generate", &["gemini.generate", "gemini.stream"]),
];

fn main() -> Result<()> {
    let into = PathBuf::from(std::env::args_os().nth(1).context("usage: testkit-seeds FOLDER")?);
    let mut seeds = Seeds { into, written: 0 };
    for (folder, families) in FAMILIES {
        seeds.of_corpus(folder)?;
        for recording in recordings::of_families(families)?.unwrap_or_default() {
            seeds.of_recording(folder, &recording)?;
        }
    }
    writeln!(io::stdout(), "{} seeds in {}", seeds.written, seeds.into.display())?;
    Ok(())
}

struct Seeds {
    into: PathBuf,
    written: usize,
}

impl Seeds {
    fn of_corpus(&mut self, folder: &str) -> Result<()> {
        for case in corpus::cases(folder)? {
            if let Some(request) = &case.request {
                self.request(folder, &case.name, request.as_bytes())?;
            }
            self.answer(folder, &case.name, &case.answer, case.meta.status, case.streamed)?;
            if case.streamed
                && let Some(answer) = replay::answer(folder, &case.name)?
            {
                self.write("array", &case.name, &answer.into_array().body)?;
            }
        }
        Ok(())
    }

    fn of_recording(&mut self, folder: &str, recording: &Recording) -> Result<()> {
        if let Some(request) = recording.request.as_ref().filter(|r| r.body_encoding == "utf-8") {
            self.request(folder, &recording.id, request.body.as_bytes())?;
        }
        let response = &recording.response;
        let status = response.status.or(recording.status).unwrap_or(200);
        if response.body_encoding == "utf-8" && response.framing != "data-lines" {
            self.answer(folder, &recording.id, response.body.as_bytes(), status, response.framing == "sse")?;
        }
        Ok(())
    }

    fn request(&mut self, folder: &str, name: &str, body: &[u8]) -> Result<()> {
        self.write("json", name, body)?;
        self.write(&format!("{folder}_request"), name, body)
    }

    fn answer(&mut self, folder: &str, name: &str, body: &[u8], status: u16, streamed: bool) -> Result<()> {
        match (status, streamed) {
            (400.., _) => self.write(&format!("{folder}_fault"), name, body),
            (_, true) => {
                self.write("sse", name, body)?;
                self.write(&format!("{folder}_stream"), name, body)
            }
            (_, false) => self.write(&format!("{folder}_answer"), name, body),
        }
    }

    fn write(&mut self, target: &str, name: &str, body: &[u8]) -> Result<()> {
        if body.is_empty() || body.len() > SEED_BYTES_MAX {
            return Ok(());
        }
        let folder: &Path = &self.into.join(target);
        fs::create_dir_all(folder)?;
        fs::write(folder.join(name), body)?;
        self.written += 1;
        Ok(())
    }
}
