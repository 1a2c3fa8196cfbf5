// The square: every SDK over every upstream that speaks another dialect than the SDK does. It is `python/square.py` in
// the words of the JS SDKs: the same checks, under the same names.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ApiError, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

import { DEGREES, PLACES, QUESTION, answered, seen } from "./provider.mjs";
import { KEY, SUITE, URL, WEATHER, all, given, main, marks, place, rejects, says } from "./suite.mjs";

const USER = [{ role: "user", content: QUESTION }];
const OSLO = ["weather", { city: "Oslo" }];
const ROME = ["weather", { city: "Rome" }];
const THOUGHT = "The sky comes to mind.";

// What a case uses: disjoint counts of uncached, cached, text and reasoning tokens. Anthropic does not tell reasoning
// from text, and Chat Completions has cases with cached tokens.
const USUAL = { plain: [8, 0, 3, 0], tool_call: [20, 0, 9, 0], reasoning_stream: [8, 0, 3, 6] };
const USED = {
  "openai-chat": { plain: [8, 4, 3, 2], tool_call: [8, 4, 3, 2], reasoning_stream: [12, 0, 3, 6] },
  "openai-responses": USUAL,
  anthropic: { ...USUAL, reasoning_stream: [8, 0, 9, 0] },
  gemini: USUAL,
};

/** A `fetch` that keeps the headers of the last answer: the stream helpers do not show them. */
const last = {};
const noting = async (...asked) => {
  const response = await fetch(...asked);
  last.headers = response.headers;
  return response;
};
const connected = { apiKey: KEY, maxRetries: 0, fetch: noting };
const openai = new OpenAI({ baseURL: `${URL}/v1`, ...connected });
const anthropic = new Anthropic({ baseURL: URL, ...connected });
const { models } = new GoogleGenAI({
  apiKey: KEY,
  httpOptions: { baseUrl: URL, retryOptions: { attempts: 1 } },
});

const upstreams = (of) => Object.fromEntries(PLACES.map((upstream) => [upstream, of]));
const results = ({ ids, calls }, result) => ids.map((id, at) => result(id, DEGREES[calls[at][1].city], calls[at][0]));

// Each client: how it asks, and what it saw as { text, thought, finish, calls, ids, usage, headers, turn }, where `turn`
// is the answer as this client sends it back.

const chat = {
  name: "chat",
  dialect: "openai-chat",
  stop: "stop",
  called: "tool_calls",
  invalid: OpenAI.BadRequestError,
  limited: OpenAI.RateLimitError,
  failed: OpenAI.APIError,
  reasoning: { reasoning_effort: "low" },
  lost: { ...upstreams([{ seed: 7 }, "seed"]), gemini: [{ logit_bias: { 7: -100 } }, "logit_bias"] },
  tools: { tools: [{ type: "function", function: { name: "weather", parameters: WEATHER } }] },

  async whole(model, more, messages = USER) {
    const { data, response } = await openai.chat.completions.create({ model, messages, ...more }).withResponse();
    return chat.said(data, response.headers);
  },

  async streamed(model, more, messages = USER) {
    const asked = { model, messages, stream_options: { include_usage: true }, ...more };
    let thought = "";
    const stream = openai.chat.completions.stream(asked);
    stream.on("chunk", (chunk) => (thought += chunk.choices[0]?.delta.reasoning_content ?? ""));
    const answer = await stream.finalChatCompletion();
    return { ...chat.said(answer, last.headers), thought };
  },

  said({ choices: [{ message, finish_reason }], usage }, headers) {
    const calls = message.tool_calls ?? [];
    return {
      text: message.content ?? "",
      finish: finish_reason,
      calls: calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
      ids: calls.map((call) => call.id),
      usage: usage && [
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        usage.prompt_tokens_details?.cached_tokens ?? 0,
        usage.completion_tokens_details?.reasoning_tokens ?? 0,
      ],
      headers,
      turn: [message],
    };
  },

  counts: ([uncached, cached, text, reasoning]) => [
    uncached + cached,
    text + reasoning,
    uncached + cached + text + reasoning,
    cached,
    reasoning,
  ],

  turns: (said) => [
    ...USER,
    ...said.turn,
    ...results(said, (id, content) => ({ role: "tool", tool_call_id: id, content })),
  ],
};

const responses = {
  ...chat,
  name: "responses",
  dialect: "openai-responses",
  stop: "completed",
  called: "completed",
  // The SDK gives an `error` event itself, and throws where a whole response is wanted.
  failed: Object,
  reasoning: { reasoning: { effort: "low", summary: "auto" } },
  lost: upstreams([{ max_tool_calls: 3 }, "max_tool_calls"]),
  tools: { tools: [{ type: "function", name: "weather", parameters: WEATHER, strict: false }] },

  async whole(model, more, input = USER) {
    const { data, response } = await openai.responses.create({ model, input, ...more }).withResponse();
    return responses.said(data, response.headers);
  },

  async streamed(model, more, input = USER) {
    const stream = openai.responses.stream({ model, input, ...more });
    let [text, thought] = ["", ""];
    stream.on("event", (event) => {
      text += event.type === "response.output_text.delta" ? event.delta : "";
      // What the upstream does not call a summary is shown as the reasoning itself.
      thought += /reasoning(_summary)?_text\.delta$/.test(event.type) ? event.delta : "";
    });
    const said = responses.said(await stream.finalResponse(), last.headers);
    assert.equal(text, said.text);
    return { ...said, thought };
  },

  said({ output, output_text, status, usage }, headers) {
    const calls = output.filter((item) => item.type === "function_call");
    return {
      text: output_text,
      finish: status,
      calls: calls.map((call) => [call.name, JSON.parse(call.arguments)]),
      ids: calls.map((call) => call.call_id),
      usage: usage && [
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.output_tokens_details.reasoning_tokens,
      ],
      headers,
      turn: output.map(({ parsed_arguments, ...item }) => item),
    };
  },

  turns: (said) => [
    ...USER,
    ...said.turn,
    ...results(said, (call_id, output) => ({ type: "function_call_output", call_id, output })),
  ],
};

const messages = {
  name: "messages",
  dialect: "anthropic",
  stop: "end_turn",
  called: "tool_use",
  invalid: Anthropic.BadRequestError,
  limited: Anthropic.RateLimitError,
  failed: Anthropic.AnthropicError,
  reasoning: { thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 2048 },
  lost: { ...upstreams([{ top_k: 7 }, "top_k"]), gemini: [{ inference_geo: "us" }, "inference_geo"] },
  tools: { tools: [{ name: "weather", input_schema: WEATHER }] },

  async whole(model, more, turns = USER) {
    const asked = { model, max_tokens: 50, messages: turns, ...more };
    const { data, response } = await anthropic.messages.create(asked).withResponse();
    return messages.said(data, response.headers);
  },

  async streamed(model, more, turns = USER) {
    const stream = anthropic.messages.stream({ model, max_tokens: 50, messages: turns, ...more });
    let text = "";
    stream.on("text", (delta) => (text += delta));
    const said = messages.said(await stream.finalMessage(), last.headers);
    assert.equal(text, said.text);
    return said;
  },

  said({ content, stop_reason, usage }, headers) {
    const calls = content.filter((block) => block.type === "tool_use");
    return {
      text: content.map((block) => block.text ?? "").join(""),
      thought: content.map((block) => block.thinking ?? "").join(""),
      finish: stop_reason,
      calls: calls.map((call) => [call.name, call.input]),
      ids: calls.map((call) => call.id),
      usage: [usage.input_tokens, usage.cache_read_input_tokens ?? 0, usage.output_tokens],
      headers,
      turn: [{ role: "assistant", content }],
    };
  },

  counts: ([uncached, cached, text, reasoning]) => [uncached, cached, text + reasoning],

  turns: (said) => [
    ...USER,
    ...said.turn,
    { role: "user", content: results(said, (tool_use_id, content) => ({ type: "tool_result", tool_use_id, content })) },
  ],
};

const content = {
  name: "content",
  dialect: "gemini",
  stop: "STOP",
  called: "STOP",
  invalid: ApiError,
  limited: ApiError,
  failed: ApiError,
  reasoning: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
  lost: {
    ...upstreams([{ topK: 7 }, "generationConfig.topK"]),
    anthropic: [{ seed: 7 }, "generationConfig.seed"],
  },
  tools: { tools: [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: WEATHER }] }] },
  user: [{ role: "user", parts: [{ text: QUESTION }] }],

  whole: async (model, config, contents = content.user) =>
    content.said([await models.generateContent({ model, contents, config })]),

  streamed: async (model, config, contents = content.user) =>
    content.said(await all(await models.generateContentStream({ model, contents, config }))),

  said(chunks) {
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0].content?.parts ?? []);
    const calls = parts.flatMap((part) => part.functionCall ?? []);
    const text = (thought) => parts.map((part) => (Boolean(part.thought) === thought ? part.text ?? "" : "")).join("");
    const usage = chunks.at(-1).usageMetadata;
    return {
      text: text(false),
      thought: text(true),
      finish: chunks.at(-1).candidates[0].finishReason,
      calls: calls.map((call) => [call.name, call.args]),
      ids: calls.map((call) => call.id),
      usage: usage && [
        usage.promptTokenCount,
        usage.candidatesTokenCount,
        usage.totalTokenCount,
        usage.cachedContentTokenCount ?? 0,
        usage.thoughtsTokenCount ?? 0,
      ],
      headers: new Headers(chunks[0].sdkHttpResponse.headers),
      turn: [{ role: "model", parts }],
    };
  },

  counts: ([uncached, cached, text, reasoning]) => [
    uncached + cached,
    text,
    uncached + cached + text + reasoning,
    cached,
    reasoning,
  ],

  turns: (said) => [
    ...content.user,
    ...said.turn,
    {
      role: "user",
      parts: results(said, (id, result, name) => ({ functionResponse: { id, name, response: { result } } })),
    },
  ],
};

/** What the operators' address tells, once it is what is looked for: an exchange may settle after its answer has come. */
async function operators(path, found) {
  const url = `http://${SUITE.operators.replace("http://", "")}/v1/${path}`;
  for (let tries = 0; tries < 100; tries++) {
    const answer = await fetch(url);
    const told = await answer.json();
    if (answer.ok && found(told)) return told;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${url} does not tell it`);
}

/** Checks the marks of a translated answer; gives the operators' record of its exchange. */
async function mapped({ headers }, target) {
  assert.equal(headers.get("x-shim-target"), target);
  const [fidelity, count] = headers.get("x-shim-fidelity").split("; losses=");
  assert.equal(fidelity, "mapped");
  const kept = await operators(`exchanges/${headers.get("x-shim-exchange")}`, Boolean);
  assert.deepEqual([kept.fidelity, kept.target, kept.outcome], ["mapped", target, "delivered"]);
  assert.ok(kept.losses.length >= Number(count), JSON.stringify(kept.losses));
  return kept;
}

/** Outcome and fault of the last exchange, which was with `target`. */
async function failed(target) {
  const told = await operators("exchanges", ({ exchanges: [last] }) => last.target === target);
  return [told.exchanges[0].outcome, told.exchanges[0].fault];
}

const plain = async (client, ask, model, used) => {
  const said = await ask(model);
  assert.deepEqual([said.text, said.finish, said.calls], ["Blue.", client.stop, []]);
  await mapped(said, model);
  assert.deepEqual(said.usage, client.counts(used.plain));
};

const CHECKS = {
  whole: ({ client, model, used }) => plain(client, client.whole, model("plain"), used),

  streamed: ({ client, model, used }) => plain(client, client.streamed, model("plain_stream"), used),

  async "tool round"({ client, upstream, model, used }) {
    const called = await client.whole(model("tool_call"), client.tools);
    assert.deepEqual([called.calls, called.finish], [[OSLO], client.called]);
    assert.equal(called.text, upstream === "anthropic" ? "I will look." : "");
    assert.deepEqual(called.usage, client.counts(used.tool_call));
    const told = await client.whole(model("tool_call"), client.tools, client.turns(called));
    assert.deepEqual([told.text, told.finish], ["It is 4 degrees in Oslo.", client.stop]);
    assert.deepEqual(answered(upstream), [["Oslo", "4"]]);
  },

  async "parallel tool round streamed"({ client, upstream, model }) {
    const called = await client.streamed(model("tool_calls_stream"), client.tools);
    assert.deepEqual([called.calls, called.finish], [[OSLO, ROME], client.called]);
    const told = await client.streamed(model("tool_calls_stream"), client.tools, client.turns(called));
    assert.deepEqual([told.text, told.finish], ["Oslo 4, Rome 12.", client.stop]);
    assert.deepEqual(answered(upstream), [["Oslo", "4"], ["Rome", "12"]]);
  },

  async "reasoning streamed"({ client, model, used }) {
    const said = await client.streamed(model("reasoning_stream"), client.reasoning);
    assert.deepEqual([said.thought, said.text, said.finish], [THOUGHT, "Blue.", client.stop]);
    assert.deepEqual(said.usage, client.counts(used.reasoning_stream));
  },

  async "losses are told"({ client, upstream, model }) {
    const [more, path] = client.lost[upstream];
    const { losses } = await mapped(await client.whole(model("plain"), more), model("plain"));
    const kinds = losses.filter((loss) => loss.path === path).map((loss) => loss.kind);
    assert.ok(["dropped", "approximated"].includes(kinds[0]), JSON.stringify(losses));
  },

  async "strict refuses before it asks"({ client, upstream, provider }) {
    const [more, path] = client.lost[upstream];
    assert.equal((await client.whole(`strict-${provider}`)).text, "Blue.");
    const before = seen().length;
    const error = await rejects(client.invalid, () => client.whole(`strict-${provider}`, more));
    assert.equal(error.status, 400);
    says(error.message, path);
    assert.equal(seen().length, before);
  },

  async "strict goes on to a target that can carry it"({ client, upstream, provider }) {
    const [more] = client.lost[upstream];
    const own = place(client.dialect).provider;
    const said = await client.whole(`strict-${provider}-then-${own}`, more);
    assert.equal(said.text, "Blue.");
    marks(said.headers, `${own}/plain`);
  },

  async "rate limited is 429 with retry-after"({ client, model }) {
    const error = await rejects(client.limited, () => client.whole(model("rate_limited")));
    assert.equal(error.status, 429);
    // Google's error has no headers: there the wait is in the details.
    if (error.headers) assert.equal(error.headers.get("retry-after"), "2");
    else says(error.message, '"retryDelay":"2s"');
    await rejects(client.limited, () => client.streamed(model("rate_limited")));
  },

  async "invalid is 400"({ client, model }) {
    const error = await rejects(client.invalid, () => client.whole(model("invalid")));
    assert.equal(error.status, 400);
    says(error.message, "temperature");
  },

  async "failure in the stream throws"({ client, model }) {
    await rejects(client.failed, () => client.streamed(model("failed_stream")));
    const [outcome, fault] = await failed(model("failed_stream"));
    assert.equal(outcome, "failed");
    assert.ok(["upstream_error", "upstream_overloaded"].includes(fault), fault);
  },

  async "cut stream throws"({ client, model }) {
    const error = await rejects(client.failed, () => client.streamed(model("cut")));
    says(String(error.message ?? JSON.stringify(error)), "before the answer was complete");
    assert.deepEqual(await failed(model("cut")), ["failed", "upstream_cut"]);
  },
};

for (const client of [chat, responses, messages, content]) {
  for (const upstream of PLACES.filter((one) => one !== client.dialect && place(one))) {
    const { provider } = place(upstream);
    const pair = { client, upstream, provider, used: USED[upstream], model: (name) => `${provider}/${name}` };
    for (const [name, check] of Object.entries(CHECKS)) {
      given(true, `${client.name} over ${upstream}: ${name}`, () => check(pair));
    }
  }
}

await main();
