// What the provider was asked, in the words of each dialect, and what it is asked about.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { SUITE } from "./suite.mjs";

export const PLACES = ["openai-chat", "openai-responses", "anthropic", "gemini"];

export const QUESTION = "Name a colour.";
export const DEGREES = { Oslo: "4", Rome: "12" };

/** The bodies the upstreams were asked with, oldest first. */
export const seen = () =>
  readFileSync(SUITE.seen, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).body);

// Calls and results in a request's conversation, in the words of its dialect: lists of [id, what].
const CONVERSATIONS = {
  "openai-chat": ({ messages }) => ({
    calls: messages.flatMap((m) => m.tool_calls ?? []).map((c) => [c.id, JSON.parse(c.function.arguments)]),
    results: messages.filter((m) => m.role === "tool").map((m) => [m.tool_call_id, m.content]),
  }),
  "openai-responses": ({ input }) => ({
    calls: input.filter((i) => i.type === "function_call").map((i) => [i.call_id, JSON.parse(i.arguments)]),
    results: input.filter((i) => i.type === "function_call_output").map((i) => [i.call_id, i.output]),
  }),
  anthropic({ messages }) {
    const blocks = messages.flatMap((m) => (typeof m.content === "string" ? [] : m.content));
    return {
      calls: blocks.filter((b) => b.type === "tool_use").map((b) => [b.id, b.input]),
      results: blocks.filter((b) => b.type === "tool_result").map((b) => [b.tool_use_id, b.content]),
    };
  },
  gemini({ contents }) {
    const parts = contents.flatMap((one) => one.parts);
    // Where there are no ids, the order is what tells.
    return {
      calls: parts.flatMap((p) => p.functionCall ?? []).map((c, at) => [c.id ?? at, c.args]),
      results: parts.flatMap((p) => p.functionResponse ?? []).map((r, at) => [r.id ?? at, r.response]),
    };
  },
};

/** The one text in a tool's result, however it is wrapped. */
function degrees(result) {
  if (typeof result === "string") return /^[[{"]/.test(result) ? degrees(JSON.parse(result)) : result;
  // The AI SDK names the tool beside what it gave.
  const { type, name, ...rest } = result;
  const [inside, ...more] = Object.values(rest);
  assert.deepEqual(more, [], JSON.stringify(result));
  return degrees(inside);
}

/** City and result of each call in the last request. */
export function answered(upstream) {
  const { calls, results } = CONVERSATIONS[upstream](JSON.parse(seen().at(-1)));
  const byId = new Map(results);
  assert.deepEqual(new Set(byId.keys()), new Set(calls.map(([id]) => id)));
  assert.equal(byId.size, calls.length);
  return calls.map(([id, { city }]) => [city, degrees(byId.get(id))]);
}
