//! Words by which reasoning is asked for out loud, as data.

/// Without one of these words in it, a text holds none of [`PHRASES`]; most texts are done with after that.
pub(super) const ANCHORS: [&str; 13] = [
    "step",
    "reason",
    "reasoning",
    "thought",
    "thoughts",
    "think",
    "thinking",
    "logic",
    "work",
    "working",
    "monologue",
    "scratchpad",
    "paso",
];

/// Phrases, in lower case, with one blank between words and no punctuation.
///
/// Sources: "let's think step by step" is the prompt of <https://arxiv.org/abs/2205.11916> and its kin; prompts that asked a
/// model to "imagine and articulate the internal reasoning behind a completed response and write it out step by step"
/// are told of in <https://www.anthropic.com/news/detecting-and-preventing-distillation-attacks>; that the thinking itself
/// is asked for, in the language of the user, in Google's AI Threat Tracker of 2026-02-12. Read 2026-11-26.
pub(super) const PHRASES: [&str; 37] = [
    "step by step",
    "internal reasoning",
    "reasoning behind",
    "reasoning process",
    "reasoning steps",
    "reasoning step",
    "reasoning trace",
    "reasoning traces",
    "reasoning chain",
    "reasoning in detail",
    "reasoning in full",
    "detailed reasoning",
    "complete reasoning",
    "full reasoning",
    "your reasoning",
    "reason aloud",
    "reason out loud",
    "chain of thought",
    "chains of thought",
    "thought process",
    "thinking process",
    "thinking content",
    "thinking tags",
    "train of thought",
    "your thoughts before",
    "your thinking",
    "think aloud",
    "think out loud",
    "thinking out loud",
    "show your work",
    "show all work",
    "show the working",
    "inner monologue",
    "internal monologue",
    "scratchpad",
    "explain the logic",
    "paso a paso",
];

/// Phrases that are looked for only in texts with letters beyond ASCII: each has one.
pub(super) const ELSEWHERE: [&str; 12] = [
    "一步一步",
    "逐步推理",
    "逐步思考",
    "推理过程",
    "推理步骤",
    "思维链",
    "思考过程",
    "推論過程",
    "ステップバイステップ",
    "思考の過程",
    "schritt für schritt",
    "étape par étape",
];
