//! Extraction: whether a key harvests a model, so as to train another on its answers.
//!
//! Who does that asks far more, of far more, and in another manner than who uses it: one template filled in many thousand
//! ways, reasoning asked for out loud, logarithms of probabilities, topics all over the place. No single request shows it; a
//! day of them does. So for each key a day is summed up in a few kilobytes, compared with the key's own history, and
//! judged: a [`Score`] from 0 to 1 made of named [`Reason`]s, each with its value, what was to be expected, and its weight.
//! `docs/extraction.md` has the formula and its figures.
//!
//! What is known of such campaigns (volume, templates, reasoning elicited, coordinated keys):
//! <https://www.anthropic.com/news/detecting-and-preventing-distillation-attacks> (2026-02-23), and Google's Threat
//! Intelligence Group, AI Threat Tracker (2026-02-12), on coercing reasoning traces by more than 100,000 prompts. That the
//! distribution of a window of queries tells what no query does: PRADA (<https://arxiv.org/abs/1805.02628>), and against
//! the key's own benign history for language models <https://arxiv.org/abs/2606.05725>. Read 2026-11-26.
//!
//! Values in, values out: time is an argument. Nothing that was said is held, only counts and salted hashes, in memory
//! alone.

mod asked;
mod count;
mod day;
mod habit;
mod judge;
mod look;
mod phrases;
mod rule;
mod sketch;
#[cfg(test)]
mod tests;
mod watch;

pub use asked::{Asked, Question, Salt};
pub use judge::{NOTICED, Reason, Verdict, Weighed};
pub use rule::{Mode, Rule, Score};
pub use sketch::{Event, Level};
pub use watch::{KEYS_MAX, PastDay, Standing, Watch};
