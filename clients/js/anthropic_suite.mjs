// The official `@anthropic-ai/sdk`: messages, token counts, models.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

import { KEY, URL, WANTS_KEYS, WEATHER, all, check, given, main, marks, place, rejects, says, swapped } from "./suite.mjs";

const MESSAGES = place("anthropic");

const connect = (apiKey) => new Anthropic({ baseURL: URL, apiKey, maxRetries: 0 });
const client = connect(KEY);

const COLOUR = [{ role: "user", content: "Name a colour." }];
const TOOLS = [{ name: "weather", input_schema: WEATHER }];
const CUT = "before the answer was complete";

const model = (name) => `${MESSAGES.provider}/${name}`;
const asked = (name, more = {}) => ({ model: model(name), max_tokens: 50, messages: COLOUR, ...more });
const create = (name, more) => client.messages.create(asked(name, more));
const streamed = (name, more) => client.messages.stream(asked(name, more)).finalMessage();
const textOf = ({ content }) => content.map((block) => block.text ?? "").join("");
const callsOf = ({ content }) => content.filter((b) => b.type === "tool_use").map((b) => [b.name, b.input]);
const round = (called) => [
  ...COLOUR,
  { role: "assistant", content: called.content },
  {
    role: "user",
    content: called.content
      .filter((block) => block.type === "tool_use")
      .map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "4" })),
  },
];

check("demo messages", async () => {
  const demo = { model: "demo/hello", max_tokens: 50, messages: COLOUR };
  const text = textOf(await client.messages.create(demo));
  says(text, "Hello from shim.");
  assert.equal(await client.messages.stream(demo).finalText(), text);
});

given(MESSAGES, "whole", async () => {
  const { data, response } = await create("plain").withResponse();
  marks(response.headers, model("plain"));
  assert.deepEqual([textOf(data), data.stop_reason], ["Blue.", "end_turn"]);
  assert.deepEqual([data.usage.input_tokens, data.usage.output_tokens], [8, 3]);
});

given(MESSAGES, "stream of events", async () => {
  const { data, response } = await create("plain_stream", { stream: true }).withResponse();
  marks(response.headers, model("plain_stream"));
  const events = await all(data);
  assert.equal(events.map((event) => event.delta?.text ?? "").join(""), "Blue.");
  assert.deepEqual([events[0].type, events.at(-1).type], ["message_start", "message_stop"]);
});

given(MESSAGES, "stream helper", async () => {
  const final = await streamed("plain_stream");
  assert.deepEqual([textOf(final), final.usage.output_tokens], ["Blue.", 3]);
});

given(MESSAGES, "tool round", async () => {
  const called = await create("tool_call", { tools: TOOLS });
  assert.deepEqual([textOf(called), called.stop_reason], ["I will look.", "tool_use"]);
  assert.deepEqual(callsOf(called), [["weather", { city: "Oslo" }]]);
  const told = await create("tool_call", { tools: TOOLS, messages: round(called) });
  assert.equal(textOf(told), "It is 4 degrees in Oslo.");
});

given(MESSAGES, "tool round streamed", async () => {
  const called = await streamed("tool_calls_stream", { tools: TOOLS });
  assert.deepEqual(callsOf(called), [["weather", { city: "Oslo" }], ["weather", { city: "Rome" }]]);
  const told = await streamed("tool_calls_stream", { tools: TOOLS, messages: round(called) });
  assert.equal(textOf(told), "Oslo 4, Rome 12.");
});

given(MESSAGES, "reasoning stream", async () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };
  const final = await streamed("reasoning_stream", { thinking, max_tokens: 2048 });
  const [thought] = final.content;
  assert.deepEqual([thought.thinking, thought.signature], ["The sky comes to mind.", "b3duLXNpZ25hdHVyZQ=="]);
  assert.equal(textOf(final), "Blue.");
});

given(MESSAGES, "invalid is 400", async () => {
  const error = await rejects(Anthropic.BadRequestError, () => create("invalid", { temperature: 0.5 }));
  assert.equal(error.error.error.type, "invalid_request_error");
  says(error.message, "range: 0..1");
});

given(MESSAGES, "rate limited is 429 with retry-after", async () => {
  const error = await rejects(Anthropic.RateLimitError, () => create("rate_limited"));
  assert.equal(error.headers.get("retry-after"), "2");
  assert.equal(error.requestID, "req_own");
});

given(MESSAGES, "failure in the stream throws", async () => {
  const read = async () => all(await create("failed_stream", { stream: true }));
  says((await rejects(Anthropic.APIError, read)).message, "Overloaded");
  await rejects(Anthropic.AnthropicError, () => streamed("failed_stream"));
});

given(MESSAGES, "cut stream throws", async () => {
  const error = await rejects(Anthropic.APIError, async () => all(await create("cut", { stream: true })));
  says(error.message, CUT);
  await rejects(Anthropic.AnthropicError, () => streamed("cut"));
});

given(MESSAGES, "unknown model is 404 and names the nearest", async () => {
  const ask = () => client.messages.create({ ...asked("-"), model: `${MESSAGES.alias}x` });
  says((await rejects(Anthropic.NotFoundError, ask)).message, "did you mean");
});

given(MESSAGES, "request without a model is 400", async () => {
  const ask = () => client.post("/v1/messages", { body: { messages: [] } });
  const error = await rejects(Anthropic.BadRequestError, ask);
  assert.equal(error.error.error.type, "invalid_request_error");
});

given(WANTS_KEYS, "unknown key is 401", async () => {
  const error = await rejects(Anthropic.AuthenticationError, () => connect("stranger").messages.create(asked("plain")));
  assert.equal(error.error.error.type, "authentication_error");
});

given(MESSAGES, "models are listed", async () => {
  const names = (await all(client.models.list())).map((one) => one.id);
  assert.ok(names.includes(MESSAGES.alias) && names.includes(model("plain")), names.join());
  assert.equal((await client.models.retrieve(model("plain"))).id, model("plain"));
});

given(MESSAGES, "tokens are counted", async () => {
  const counted = await client.messages.countTokens({ model: model("plain"), messages: COLOUR });
  assert.equal(counted.input_tokens, 11);
});

given(MESSAGES, "swap under one client", () =>
  swapped(MESSAGES, async () => {
    const { data, response } = await client.messages
      .create({ ...asked("-"), model: MESSAGES.alias })
      .withResponse();
    return [textOf(data), Number(response.headers.get("x-shim-generation"))];
  }));

await main();
