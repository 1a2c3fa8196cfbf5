"""The official `anthropic` SDK: messages, token counts, models."""

import anthropic
from anthropic import Anthropic, AsyncAnthropic

from suite import (
    KEY, URL, WANTS_KEYS, WEATHER, check, equal, given, main, marks, place, raises, raises_async, swapped,
)

MESSAGES = place("anthropic")

client = Anthropic(base_url=URL, api_key=KEY, max_retries=0)

COLOUR = [{"role": "user", "content": "Name a colour."}]
TOOLS = [{"name": "weather", "input_schema": WEATHER}]


def model(case):
    return f"{MESSAGES['provider']}/{case}"


def asked(case, **more):
    return {"model": model(case), "max_tokens": 50, "messages": COLOUR, **more}


def create(case, **more):
    return client.messages.create(**asked(case, **more))


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message):
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def streamed(case, **more):
    with client.messages.stream(**asked(case, **more)) as stream:
        return stream.get_final_message()


@check
def demo_messages():
    asked = {"model": "demo/hello", "max_tokens": 50, "messages": COLOUR}
    answer = client.messages.create(**asked)
    assert text_of(answer).startswith("Hello from shim.")
    with client.messages.stream(**asked) as stream:
        equal(stream.get_final_text(), text_of(answer))


@given(MESSAGES)
def whole():
    raw = client.messages.with_raw_response.create(**asked("plain"))
    marks(raw.headers, model("plain"))
    answer = raw.parse()
    equal((text_of(answer), answer.stop_reason), ("Blue.", "end_turn"))
    equal((answer.usage.input_tokens, answer.usage.output_tokens), (8, 3))


@given(MESSAGES)
def stream_of_events():
    kinds, text = [], ""
    for event in create("plain_stream", stream=True):
        kinds.append(event.type)
        text += event.delta.text if event.type == "content_block_delta" else ""
    equal(text, "Blue.")
    equal((kinds[0], kinds[-1]), ("message_start", "message_stop"))


@given(MESSAGES)
def stream_helper():
    with client.messages.stream(**asked("plain_stream")) as stream:
        marks(stream.response.headers, model("plain_stream"))
        equal("".join(stream.text_stream), "Blue.")
        final = stream.get_final_message()
    equal((final.usage.input_tokens, final.usage.output_tokens), (8, 3))


@given(MESSAGES)
def tool_round():
    called = create("tool_call", tools=TOOLS)
    equal((text_of(called), called.stop_reason), ("I will look.", "tool_use"))
    equal(calls_of(called), [("weather", {"city": "Oslo"})])
    result = {"type": "tool_result", "tool_use_id": called.content[-1].id, "content": "4"}
    said = [{"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    told = create("tool_call", tools=TOOLS, messages=COLOUR + said)
    equal(text_of(told), "It is 4 degrees in Oslo.")


@given(MESSAGES)
def tool_round_streamed():
    called = streamed("tool_calls_stream", tools=TOOLS)
    equal(calls_of(called), [("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})])
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": "4"} for b in called.content]
    said = [{"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
    told = streamed("tool_calls_stream", tools=TOOLS, messages=COLOUR + said)
    equal(text_of(told), "Oslo 4, Rome 12.")


@given(MESSAGES)
def reasoning_stream():
    thinking = {"type": "enabled", "budget_tokens": 1024}
    final = streamed("reasoning_stream", thinking=thinking, max_tokens=2048)
    thought = final.content[0]
    equal((thought.type, thought.thinking), ("thinking", "The sky comes to mind."))
    equal((thought.signature, text_of(final)), ("b3duLXNpZ25hdHVyZQ==", "Blue."))


@given(MESSAGES)
def beta_messages():
    answer = client.beta.messages.create(**asked("plain"), betas=["context-management-2025-06-27"])
    equal(text_of(answer), "Blue.")


@given(MESSAGES)
def invalid_is_400():
    error = raises(anthropic.BadRequestError, lambda: create("invalid"))
    equal(error.body["error"]["type"], "invalid_request_error")
    assert "range: 0..1" in error.message, error.message


@given(MESSAGES)
def rate_limited_is_429_with_retry_after():
    error = raises(anthropic.RateLimitError, lambda: create("rate_limited"))
    equal(error.response.headers["retry-after"], "2")
    equal(error.response.headers["anthropic-ratelimit-requests-remaining"], "0")
    equal(error.request_id, "req_own")


@given(MESSAGES)
def failure_in_the_stream_raises():
    error = raises(anthropic.APIStatusError, lambda: list(create("failed_stream", stream=True)))
    equal(error.body["error"]["type"], "overloaded_error")
    raises(anthropic.APIStatusError, lambda: streamed("failed_stream"))


@given(MESSAGES)
def cut_stream_raises():
    error = raises(anthropic.APIError, lambda: list(create("cut", stream=True)))
    assert "before the answer was complete" in str(error), error
    raises(anthropic.APIError, lambda: streamed("cut"))


@given(MESSAGES)
def unknown_model_is_404_and_names_the_nearest():
    wrong = MESSAGES["alias"] + "x"
    ask = lambda: client.messages.create(model=wrong, max_tokens=50, messages=COLOUR)
    error = raises(anthropic.NotFoundError, ask)
    assert f'did you mean "{MESSAGES["alias"]}"' in error.message, error.message


@given(MESSAGES)
def request_without_a_model_is_400():
    ask = lambda: client.post("/v1/messages", body={"messages": []}, cast_to=object)
    error = raises(anthropic.BadRequestError, ask)
    equal(error.body["error"]["type"], "invalid_request_error")


@given(WANTS_KEYS)
def unknown_key_is_401():
    stranger = Anthropic(base_url=URL, api_key="stranger", max_retries=0)
    ask = lambda: stranger.messages.create(**asked("plain"))
    error = raises(anthropic.AuthenticationError, ask)
    equal(error.body["error"]["type"], "authentication_error")


@given(MESSAGES)
def models_are_listed():
    names = [model.id for model in client.models.list()]
    assert MESSAGES["alias"] in names and model("plain") in names, names
    equal(client.models.retrieve(model("plain")).id, model("plain"))


@given(MESSAGES)
def tokens_are_counted():
    counted = client.messages.count_tokens(model=model("plain"), messages=COLOUR)
    equal(counted.input_tokens, 11)


@given(MESSAGES)
def swap_under_one_client():
    def ask():
        raw = client.messages.with_raw_response.create(**{**asked("-"), "model": MESSAGES["alias"]})
        return text_of(raw.parse()), int(raw.headers["x-shim-generation"])

    swapped(MESSAGES["alias"], MESSAGES["provider"], ask)


@given(MESSAGES)
async def async_client():
    async with AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0) as client:
        equal(text_of(await client.messages.create(**asked("plain"))), "Blue.")
        async with client.messages.stream(**asked("plain_stream")) as stream:
            equal(await stream.get_final_text(), "Blue.")

        async def cut():
            async with client.messages.stream(**asked("cut")) as stream:
                await stream.get_final_text()

        await raises_async(anthropic.APIError, cut())


main()
