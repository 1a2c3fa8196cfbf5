// The official `@google/genai` SDK: generateContent, token counts, embeddings, models.

import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";

import { KEY, URL, WANTS_KEYS, WEATHER, all, check, given, main, marks, place, rejects, says, swapped } from "./suite.mjs";

const CONTENT = place("gemini");

const connect = (apiKey, apiVersion) =>
  new GoogleGenAI({ apiKey, apiVersion, httpOptions: { baseUrl: URL, retryOptions: { attempts: 1 } } });
const { models } = connect(KEY);

const QUESTION = "Name a colour.";
const TOOLS = { tools: [{ functionDeclarations: [{ name: "weather", parametersJsonSchema: WEATHER }] }] };

const model = (name) => `${CONTENT.provider}/${name}`;
const generate = (name, contents = QUESTION, config = {}) =>
  models.generateContent({ model: model(name), contents, config });
const stream = async (name, contents = QUESTION, config = {}) =>
  all(await models.generateContentStream({ model: model(name), contents, config }));
const textOf = (chunks) => chunks.map((chunk) => chunk.text ?? "").join("");
const partsOf = (chunks) => chunks.flatMap((chunk) => chunk.candidates[0].content.parts);
const user = (text) => ({ role: "user", parts: [{ text }] });
const results = (calls) => ({
  role: "user",
  parts: calls.map(({ name }) => ({ functionResponse: { name, response: { degrees: 4 } } })),
});

check("demo content", async () => {
  const demo = { model: "demo/hello", contents: QUESTION };
  const { text } = await models.generateContent(demo);
  says(text, "Hello from shim.");
  assert.equal(textOf(await all(await models.generateContentStream(demo))), text);
});

given(CONTENT, "whole", async () => {
  const answer = await generate("plain");
  marks(answer.sdkHttpResponse.headers, model("plain"));
  assert.deepEqual([answer.text, answer.candidates[0].finishReason], ["Blue.", "STOP"]);
  assert.equal(answer.usageMetadata.totalTokenCount, 11);
});

given(CONTENT, "streamed", async () => {
  const chunks = await stream("plain_stream");
  marks(chunks[0].sdkHttpResponse.headers, model("plain_stream"));
  assert.equal(textOf(chunks), "Blue.");
  assert.equal(chunks.at(-1).usageMetadata.totalTokenCount, 11);
});

for (const version of ["v1", "v1beta"]) {
  given(CONTENT, `version ${version}`, async () => {
    const asked = { model: model("plain"), contents: QUESTION };
    assert.equal((await connect(KEY, version).models.generateContent(asked)).text, "Blue.");
  });
}

given(CONTENT, "tool round", async () => {
  const called = await generate("tool_call", QUESTION, TOOLS);
  assert.deepEqual(called.functionCalls.map(({ name, args }) => [name, args]), [["weather", { city: "Oslo" }]]);
  const said = called.candidates[0].content;
  assert.equal(said.parts[0].thoughtSignature, "b3duLXNpZ25hdHVyZQ==");
  const told = await generate("tool_call", [user(QUESTION), said, results(called.functionCalls)], TOOLS);
  assert.equal(told.text, "It is 4 degrees in Oslo.");
});

given(CONTENT, "tool round streamed", async () => {
  const parts = partsOf(await stream("tool_calls_stream", QUESTION, TOOLS));
  const calls = parts.map((part) => part.functionCall);
  assert.deepEqual(calls.map((call) => call.args), [{ city: "Oslo" }, { city: "Rome" }]);
  const contents = [user(QUESTION), { role: "model", parts }, results(calls)];
  assert.equal(textOf(await stream("tool_calls_stream", contents, TOOLS)), "Oslo 4, Rome 12.");
});

given(CONTENT, "reasoning stream", async () => {
  const chunks = await stream("reasoning_stream", QUESTION, { thinkingConfig: { includeThoughts: true } });
  const text = (thought) => partsOf(chunks).filter((part) => Boolean(part.thought) === thought).map((part) => part.text);
  assert.equal(text(true).join(""), "The sky comes to mind.");
  assert.equal(text(false).join(""), "Blue.");
  assert.equal(chunks.at(-1).usageMetadata.thoughtsTokenCount, 6);
});

given(CONTENT, "invalid is 400", async () => {
  const error = await rejects(ApiError, () => generate("invalid", QUESTION, { temperature: 9 }));
  assert.equal(error.status, 400);
  says(error.message, "INVALID_ARGUMENT");
});

given(CONTENT, "rate limited is 429 with the wait in its details", async () => {
  const error = await rejects(ApiError, () => generate("rate_limited"));
  assert.equal(error.status, 429);
  says(error.message, "RESOURCE_EXHAUSTED");
  says(error.message, "retryDelay");
});

given(CONTENT, "failure in the stream throws", async () => {
  const error = await rejects(ApiError, () => stream("failed_stream"));
  assert.equal(error.status, 503);
  says(error.message, "overloaded");
});

given(CONTENT, "cut stream throws", async () => {
  says((await rejects(ApiError, () => stream("cut"))).message, "before the answer was complete");
});

given(CONTENT, "unknown model is 404 and names the nearest", async () => {
  const ask = () => models.generateContent({ model: `${CONTENT.alias}x`, contents: QUESTION });
  const error = await rejects(ApiError, ask);
  assert.equal(error.status, 404);
  says(error.message, "did you mean");
});

given(WANTS_KEYS, "unknown key is 401", async () => {
  const ask = () => connect("stranger").models.generateContent({ model: CONTENT.alias, contents: QUESTION });
  assert.equal((await rejects(ApiError, ask)).status, 401);
});

given(CONTENT, "models are listed", async () => {
  const v1beta = connect(KEY, "v1beta").models;
  const names = (await all(await v1beta.list())).map((one) => one.name);
  assert.ok(names.includes(`models/${CONTENT.alias}`) && names.includes(`models/${model("plain")}`), names.join());
  assert.equal((await v1beta.get({ model: CONTENT.alias })).name, `models/${CONTENT.alias}`);
});

given(CONTENT, "tokens are counted", async () => {
  assert.equal((await models.countTokens({ model: model("plain"), contents: QUESTION })).totalTokens, 11);
});

given(CONTENT, "embeddings", async () => {
  const made = await models.embedContent({ model: model("plain"), contents: ["Blue.", "Red."] });
  assert.deepEqual(made.embeddings.map((one) => one.values), [[0.5, -0.25, 0.125], [-0.5, 0.75, 0]]);
});

given(CONTENT, "swap under one client", () =>
  swapped(CONTENT, async () => {
    const answer = await models.generateContent({ model: CONTENT.alias, contents: QUESTION });
    return [answer.text, Number(answer.sdkHttpResponse.headers["x-shim-generation"])];
  }));

await main();
