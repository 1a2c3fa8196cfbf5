// The Vercel AI SDK, each of its providers over every upstream, whatever they speak. It is what `python/frameworks.py`
// checks of the Python frameworks.

import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

import { DEGREES, PLACES, QUESTION, answered, seen } from "./provider.mjs";
import { KEY, URL, WEATHER, given, main, place, says } from "./suite.mjs";

const ANSWER = {
  type: "object",
  properties: { colour: { type: "string" } },
  required: ["colour"],
  additionalProperties: false,
};

const openai = createOpenAI({ baseURL: `${URL}/v1`, apiKey: KEY });
const compatible = createOpenAICompatible({
  name: "lab",
  baseURL: `${URL}/v1`,
  apiKey: KEY,
  supportsStructuredOutputs: true,
});

// By what it speaks, how each provider makes a model.
const CLIENTS = {
  chat: openai.chat,
  compatible,
  responses: openai.responses,
  messages: createAnthropic({ baseURL: `${URL}/v1`, apiKey: KEY }),
  content: createGoogleGenerativeAI({ baseURL: `${URL}/v1beta`, apiKey: KEY }),
};

/** Where the schema of the answer stands in a request. */
const SCHEMAS = {
  "openai-chat": (body) => body.response_format.json_schema.schema,
  "openai-responses": (body) => body.text.format.schema,
  anthropic: (body) => body.output_config.format.schema,
  gemini: ({ generationConfig: config }) => config.responseJsonSchema ?? config.responseSchema,
};

const asked = (model, more) => ({
  model,
  prompt: QUESTION,
  maxRetries: 0,
  providerOptions: {
    // Of a model it does not know, it would ask for a call of a tool instead.
    anthropic: { structuredOutputMode: "outputFormat" },
    // What was answered it would else refer to by id, as kept by the provider; no other dialect's provider has it.
    openai: { store: false },
  },
  ...more,
});

/** Lets the model call the tool, and checks what it was asked about, what reached the provider, and the last text. */
async function round({ client, upstream, model }, name, cities, wanted, ask) {
  const ran = [];
  const weather = tool({
    description: "The weather in a city.",
    inputSchema: jsonSchema(WEATHER),
    execute: async ({ city }) => {
      ran.push(city);
      return DEGREES[city];
    },
  });
  const text = await ask(asked(client(model(name)), { tools: { weather }, stopWhen: stepCountIs(3) }));
  assert.equal(text, wanted);
  assert.deepEqual(ran.toSorted(), cities);
  assert.deepEqual(answered(upstream), cities.map((city) => [city, DEGREES[city]]));
}

const CHECKS = {
  "whole tool round": (pair) =>
    round(pair, "tool_call", ["Oslo"], "It is 4 degrees in Oslo.", async (how) => (await generateText(how)).text),

  "parallel tool round streamed": (pair) =>
    round(pair, "tool_calls_stream", ["Oslo", "Rome"], "Oslo 4, Rome 12.", async (how) => {
      let text = "";
      const failed = (event) => {
        throw event.error;
      };
      for await (const delta of streamText({ ...how, onError: failed }).textStream) text += delta;
      return text;
    }),

  async "structured output"({ client, upstream, model }) {
    const output = Output.object({ schema: jsonSchema(ANSWER), name: "answer" });
    const answer = await generateText(asked(client(model("structured")), { output }));
    assert.deepEqual(answer.output, { colour: "blue" });
    assert.ok("colour" in SCHEMAS[upstream](JSON.parse(seen().at(-1))).properties);
  },

  async "rate limited is 429"({ client, model }) {
    const error = await generateText(asked(client(model("rate_limited")))).catch((error) => error);
    assert.ok(APICallError.isInstance(error), String(error));
    assert.equal(error.statusCode, 429);
  },
};

for (const [name, client] of Object.entries(CLIENTS)) {
  for (const upstream of PLACES.filter(place)) {
    const pair = { client, upstream, model: (of) => `${place(upstream).provider}/${of}` };
    for (const [check, run] of Object.entries(CHECKS)) {
      given(true, `${name} over ${upstream}: ${check}`, () => run(pair));
    }
  }
}

// Where it is not told otherwise, it refers by id to what a provider of Responses is to have kept.
for (const upstream of PLACES.filter((one) => one !== "openai-responses" && place(one))) {
  given(true, `responses over ${upstream}: a reference to what nobody keeps is refused`, async () => {
    const before = seen().length;
    const said = { type: "text", text: "I will look.", providerOptions: { openai: { itemId: "msg_1" } } };
    const messages = [
      { role: "user", content: QUESTION },
      { role: "assistant", content: [said] },
      { role: "user", content: "And?" },
    ];
    const model = CLIENTS.responses(`${place(upstream).provider}/plain`);
    const error = await generateText({ model, messages, maxRetries: 0 }).catch((error) => error);
    assert.equal(error.statusCode, 404, String(error));
    says(error.message, "Item with id 'msg_1' not found");
    assert.equal(seen().length, before);
  });
}

await main();
