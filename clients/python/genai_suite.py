"""The official `google-genai` SDK: generateContent, token counts, embeddings, models."""

from google import genai
from google.genai import errors, types

from suite import (
    KEY, URL, WANTS_KEYS, WEATHER, check, equal, given, main, marks, place, raises, raises_async, swapped,
)

CONTENT = place("gemini")

once = types.HttpRetryOptions(attempts=1)
options = types.HttpOptions(base_url=URL, retry_options=once)
client = genai.Client(api_key=KEY, http_options=options)

QUESTION = "Name a colour."
DECLARED = [{"name": "weather", "parameters_json_schema": WEATHER}]
TOOLS = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=DECLARED)],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


def model(case):
    return f"{CONTENT['provider']}/{case}"


def generate(case, contents=QUESTION, config=None):
    return client.models.generate_content(model=model(case), contents=contents, config=config)


def stream(case, contents=QUESTION, config=None):
    return client.models.generate_content_stream(model=model(case), contents=contents, config=config)


def text_of(chunks):
    return "".join(chunk.text or "" for chunk in chunks)


def parts_of(chunks):
    return [part for chunk in chunks for part in chunk.candidates[0].content.parts]


def results(calls):
    answer = lambda call: types.Part.from_function_response(name=call.name, response={"degrees": 4})
    return types.Content(role="user", parts=[answer(call) for call in calls])


@check
def demo_content():
    answer = client.models.generate_content(model="demo/hello", contents=QUESTION)
    assert answer.text.startswith("Hello from shim.")
    chunks = client.models.generate_content_stream(model="demo/hello", contents=QUESTION)
    equal(text_of(chunks), answer.text)


@given(CONTENT)
def whole():
    answer = generate("plain")
    marks(answer.sdk_http_response.headers, model("plain"))
    equal((answer.text, answer.candidates[0].finish_reason), ("Blue.", types.FinishReason.STOP))
    usage = answer.usage_metadata
    equal((usage.prompt_token_count, usage.candidates_token_count), (8, 3))


@given(CONTENT)
def streamed():
    chunks = list(stream("plain_stream"))
    marks(chunks[0].sdk_http_response.headers, model("plain_stream"))
    equal(text_of(chunks), "Blue.")
    equal(chunks[-1].usage_metadata.total_token_count, 11)


@given(CONTENT)
def tool_round():
    called = generate("tool_call", config=TOOLS)
    equal([(c.name, c.args) for c in called.function_calls], [("weather", {"city": "Oslo"})])
    said = called.candidates[0].content
    equal(said.parts[0].thought_signature, b"own-signature")
    told = generate("tool_call", [QUESTION, said, results(called.function_calls)], TOOLS)
    equal(told.text, "It is 4 degrees in Oslo.")


@given(CONTENT)
def tool_round_streamed():
    parts = parts_of(stream("tool_calls_stream", config=TOOLS))
    calls = [part.function_call for part in parts]
    equal([call.args for call in calls], [{"city": "Oslo"}, {"city": "Rome"}])
    said = types.Content(role="model", parts=parts)
    told = stream("tool_calls_stream", [QUESTION, said, results(calls)], TOOLS)
    equal(text_of(told), "Oslo 4, Rome 12.")


@given(CONTENT)
def automatic_function_calling():
    def weather(city: str) -> int:
        """The temperature in a city."""
        return 4 if city == "Oslo" else 12

    config = types.GenerateContentConfig(tools=[weather])
    equal(generate("tool_call", config=config).text, "It is 4 degrees in Oslo.")


@given(CONTENT)
def reasoning_stream():
    thoughts = types.ThinkingConfig(include_thoughts=True)
    chunks = list(stream("reasoning_stream", config={"thinking_config": thoughts}))
    parts = parts_of(chunks)
    equal("".join(part.text for part in parts if part.thought), "The sky comes to mind.")
    equal("".join(part.text for part in parts if not part.thought), "Blue.")
    equal(chunks[-1].usage_metadata.thoughts_token_count, 6)


@given(CONTENT)
def invalid_is_400():
    error = raises(errors.ClientError, lambda: generate("invalid", config={"temperature": 9}))
    equal((error.code, error.status), (400, "INVALID_ARGUMENT"))


@given(CONTENT)
def rate_limited_is_429_with_retry_after():
    error = raises(errors.ClientError, lambda: generate("rate_limited"))
    equal((error.code, error.status), (429, "RESOURCE_EXHAUSTED"))
    equal(error.response.headers["retry-after"], "2")
    equal(error.details["error"]["details"][0]["retryDelay"], "2s")


@given(CONTENT)
def failure_in_the_stream_raises():
    error = raises(errors.APIError, lambda: list(stream("failed_stream")))
    equal((error.code, error.status), (503, "UNAVAILABLE"))


@given(CONTENT)
def cut_stream_raises():
    error = raises(errors.APIError, lambda: list(stream("cut")))
    assert "before the answer was complete" in str(error), error


@given(CONTENT)
def unknown_model_is_404_and_names_the_nearest():
    wrong = CONTENT["alias"] + "x"
    error = raises(
        errors.ClientError, lambda: client.models.generate_content(model=wrong, contents=QUESTION)
    )
    equal((error.code, error.status), (404, "NOT_FOUND"))
    assert f'did you mean "{CONTENT["alias"]}"' in error.message, error.message


@given(WANTS_KEYS)
def unknown_key_is_401():
    stranger = genai.Client(api_key="stranger", http_options=options)
    ask = lambda: stranger.models.generate_content(model=CONTENT["alias"], contents=QUESTION)
    error = raises(errors.ClientError, ask)
    equal((error.code, error.status), (401, "UNAUTHENTICATED"))


@given(CONTENT)
def models_are_listed():
    names = [model.name for model in client.models.list()]
    assert f"models/{CONTENT['alias']}" in names and f"models/{model('plain')}" in names, names
    equal(client.models.get(model=CONTENT["alias"]).name, f"models/{CONTENT['alias']}")


@given(CONTENT)
def tokens_are_counted():
    equal(client.models.count_tokens(model=model("plain"), contents=QUESTION).total_tokens, 11)


@given(CONTENT)
def embeddings():
    made = client.models.embed_content(model=model("plain"), contents=["Blue.", "Red."])
    equal([one.values for one in made.embeddings], [[0.5, -0.25, 0.125], [-0.5, 0.75, 0.0]])


@given(CONTENT)
def swap_under_one_client():
    def ask():
        answer = client.models.generate_content(model=CONTENT["alias"], contents=QUESTION)
        return answer.text, int(answer.sdk_http_response.headers["x-shim-generation"])

    swapped(CONTENT["alias"], CONTENT["provider"], ask)


@given(CONTENT)
async def async_client():
    models = client.aio.models
    answer = await models.generate_content(model=model("plain"), contents=QUESTION)
    equal(answer.text, "Blue.")
    chunks = await models.generate_content_stream(model=model("plain_stream"), contents=QUESTION)
    equal(text_of([chunk async for chunk in chunks]), "Blue.")

    async def cut():
        chunks = await models.generate_content_stream(model=model("cut"), contents=QUESTION)
        return [chunk async for chunk in chunks]

    error = await raises_async(errors.APIError, cut())
    assert "before the answer was complete" in str(error), error


main()
