"""The official `openai` SDK: Chat Completions, Responses, embeddings, models."""

import itertools

import openai
from openai import AsyncOpenAI, OpenAI

from suite import (
    KEY, URL, WANTS_KEYS, WEATHER, check, equal, given, main, marks, place, raises, raises_async, swapped,
)

CHAT = place("openai-chat")
ANSWERS = place("openai-responses")

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
later = lambda: AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

COLOUR = [{"role": "user", "content": "Name a colour."}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
FLAT_TOOLS = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
OSLO = ("weather", '{"city":"Oslo"}')
ROME = ("weather", '{"city":"Rome"}')


@check
def demo_chat():
    answer = client.chat.completions.create(model="demo/hello", messages=COLOUR)
    assert answer.choices[0].message.content.startswith("Hello from shim.")
    chunks = client.chat.completions.create(model="demo/hello", messages=COLOUR, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    equal(text, answer.choices[0].message.content)


@check
def demo_responses():
    answer = client.responses.create(model="demo/hello", input="Hello")
    assert answer.output_text.startswith("Hello from shim.")
    with client.responses.stream(model="demo/hello", input="Hello") as stream:
        equal(stream.get_final_response().output_text, answer.output_text)


def chat(case, **more):
    return client.chat.completions.create(
        **{"model": f"{CHAT['provider']}/{case}", "messages": COLOUR, **more}
    )


def calls_of(message):
    return [(call.function.name, call.function.arguments) for call in message.tool_calls]


@given(CHAT)
def chat_whole():
    raw = client.chat.completions.with_raw_response.create(
        model=f"{CHAT['provider']}/plain", messages=COLOUR
    )
    marks(raw.headers, f"{CHAT['provider']}/plain")
    answer = raw.parse()
    equal(answer.choices[0].message.content, "Blue.")
    equal(answer.choices[0].finish_reason, "stop")
    usage = answer.usage
    equal((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (12, 5, 17))
    equal(usage.prompt_tokens_details.cached_tokens, 4)


@given(CHAT)
def chat_stream_without_usage():
    chunks = list(chat("plain_stream", stream=True))
    equal("".join(c.choices[0].delta.content or "" for c in chunks), "Blue.")
    equal(chunks[-1].choices[0].finish_reason, "stop")
    assert all(c.usage is None for c in chunks), "usage the client did not ask for"


@given(CHAT)
def chat_stream_with_usage():
    chunks = list(chat("plain_stream", stream=True, stream_options={"include_usage": True}))
    equal("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), "Blue.")
    equal(chunks[-1].choices, [])
    equal(chunks[-1].usage.total_tokens, 17)


@given(CHAT)
def chat_stream_marks():
    create = client.chat.completions.with_raw_response.create
    raw = create(model=f"{CHAT['provider']}/plain_stream", messages=COLOUR, stream=True)
    marks(raw.headers, f"{CHAT['provider']}/plain_stream")
    equal("".join(c.choices[0].delta.content or "" for c in raw.parse()), "Blue.")


@given(CHAT)
def chat_tool_round():
    called = chat("tool_call", tools=TOOLS)
    equal(called.choices[0].finish_reason, "tool_calls")
    message = called.choices[0].message
    equal(calls_of(message), [OSLO])
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "4"}
    told = chat("tool_call", tools=TOOLS, messages=[*COLOUR, message, result])
    equal(told.choices[0].message.content, "It is 4 degrees in Oslo.")


@given(CHAT)
def chat_tool_round_streamed():
    with client.chat.completions.stream(
        model=f"{CHAT['provider']}/tool_calls_stream", messages=COLOUR, tools=TOOLS
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    equal(calls_of(message), [OSLO, ROME])
    equal([call.id for call in message.tool_calls], ["call_a", "call_b"])
    results = [{"role": "tool", "tool_call_id": c.id, "content": "4"} for c in message.tool_calls]
    said = {"role": "assistant", "tool_calls": [c.to_dict() for c in message.tool_calls]}
    for call in said["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    chunks = chat("tool_calls_stream", tools=TOOLS, stream=True, messages=[*COLOUR, said, *results])
    equal("".join(c.choices[0].delta.content or "" for c in chunks), "Oslo 4, Rome 12.")


@given(CHAT)
def chat_reasoning_stream():
    deltas = [c.choices[0].delta for c in chat("reasoning_stream", stream=True)]
    thought = "".join(getattr(d, "reasoning_content", None) or "" for d in deltas)
    equal(thought, "The sky comes to mind.")
    equal("".join(d.content or "" for d in deltas), "Blue.")


@given(CHAT)
def chat_invalid_is_400():
    error = raises(openai.BadRequestError, lambda: chat("invalid", temperature=9))
    equal((error.status_code, error.param), (400, "temperature"))
    assert "expected a value <= 2" in error.message, error.message


@given(CHAT)
def chat_rate_limited_is_429_with_retry_after():
    error = raises(openai.RateLimitError, lambda: chat("rate_limited"))
    equal(error.response.headers["retry-after"], "2")
    equal(error.code, "rate_limit_exceeded")


@given(CHAT)
def chat_failure_in_the_stream_raises():
    chunks = chat("failed_stream", stream=True)
    equal(next(iter(chunks)).choices[0].delta.content, "Bl")
    error = raises(openai.APIError, lambda: list(chunks))
    assert "The server had an error" in error.message, error.message


@given(CHAT)
def chat_cut_stream_raises():
    chunks = chat("cut", stream=True)
    equal(next(iter(chunks)).choices[0].delta.content, "Hal")
    error = raises(openai.APIError, lambda: list(chunks))
    assert "before the answer was complete" in error.message, error.message


@given(CHAT)
def unknown_model_is_404_and_names_the_nearest():
    wrong = CHAT["alias"] + "x"
    create = client.chat.completions.create
    error = raises(openai.NotFoundError, lambda: create(model=wrong, messages=COLOUR))
    assert f'did you mean "{CHAT["alias"]}"' in error.message, error.message


@given(CHAT)
def not_json_of_a_request_is_400():
    error = raises(openai.BadRequestError, lambda: client.post("/chat/completions", body=[], cast_to=object))
    equal(error.type, "invalid_request_error")


@given(WANTS_KEYS)
def unknown_key_is_401():
    stranger = OpenAI(base_url=f"{URL}/v1", api_key="stranger", max_retries=0)
    ask = lambda: stranger.chat.completions.create(model=CHAT["alias"], messages=COLOUR)
    raises(openai.AuthenticationError, ask)
    raises(openai.AuthenticationError, lambda: stranger.models.list())


@given(CHAT)
def models_are_listed():
    names = [model.id for model in client.models.list()]
    assert CHAT["alias"] in names and f"{CHAT['provider']}/plain" in names, names
    equal(client.models.retrieve(f"{CHAT['provider']}/plain").id, f"{CHAT['provider']}/plain")
    error = raises(openai.NotFoundError, lambda: client.models.retrieve("nobody/nothing"))
    equal(error.status_code, 404)


@given(CHAT)
def embeddings():
    made = client.embeddings.create(model=f"{CHAT['provider']}/embeddings", input=["Blue.", "Red."])
    equal([list(one.embedding) for one in made.data], [[0.5, -0.25, 0.125], [-0.5, 0.75, 0.0]])
    equal(made.usage.total_tokens, 4)


@given(CHAT)
def chat_swaps_under_one_client():
    def ask():
        create = client.chat.completions.with_raw_response.create
        raw = create(model=CHAT["alias"], messages=COLOUR)
        return raw.parse().choices[0].message.content, int(raw.headers["x-shim-generation"])

    swapped(CHAT["alias"], CHAT["provider"], ask)


@given(CHAT)
async def chat_async():
    async with later() as client:
        create = client.chat.completions.create
        answer = await create(model=f"{CHAT['provider']}/plain", messages=COLOUR)
        equal(answer.choices[0].message.content, "Blue.")
        chunks = await create(model=f"{CHAT['provider']}/plain_stream", messages=COLOUR, stream=True)
        equal("".join([c.choices[0].delta.content or "" async for c in chunks]), "Blue.")
        cut = await create(model=f"{CHAT['provider']}/cut", messages=COLOUR, stream=True)

        async def rest():
            return [chunk async for chunk in cut]

        await raises_async(openai.APIError, rest())


def respond(case, **more):
    return client.responses.create(
        **{"model": f"{ANSWERS['provider']}/{case}", "input": "Name a colour.", **more}
    )


@given(ANSWERS)
def responses_whole():
    create = client.responses.with_raw_response.create
    raw = create(model=f"{ANSWERS['provider']}/plain", input="Name a colour.")
    marks(raw.headers, f"{ANSWERS['provider']}/plain")
    answer = raw.parse()
    equal((answer.output_text, answer.status), ("Blue.", "completed"))
    equal((answer.usage.input_tokens, answer.usage.output_tokens), (8, 3))


@given(ANSWERS)
def responses_stream():
    kinds, text = [], ""
    for event in respond("plain_stream", stream=True):
        kinds.append(event.type)
        text += event.delta if event.type == "response.output_text.delta" else ""
    equal(text, "Blue.")
    equal((kinds[0], kinds[-1]), ("response.created", "response.completed"))


@given(ANSWERS)
def responses_stream_helper():
    with client.responses.stream(
        model=f"{ANSWERS['provider']}/plain_stream", input="Name a colour."
    ) as stream:
        final = stream.get_final_response()
    equal((final.output_text, final.usage.total_tokens), ("Blue.", 11))


def calls_in(output):
    return [(item.name, item.arguments) for item in output if item.type == "function_call"]


@given(ANSWERS)
def responses_tool_round():
    called = respond("tool_call", tools=FLAT_TOOLS)
    equal(calls_in(called.output), [OSLO])
    result = {"type": "function_call_output", "call_id": called.output[0].call_id, "output": "4"}
    told = respond(
        "tool_call", tools=FLAT_TOOLS, input=[*COLOUR, *[i.to_dict() for i in called.output], result]
    )
    equal(told.output_text, "It is 4 degrees in Oslo.")


@given(ANSWERS)
def responses_tool_round_streamed():
    with client.responses.stream(
        model=f"{ANSWERS['provider']}/tool_calls_stream", input="Weather?", tools=FLAT_TOOLS
    ) as stream:
        output = stream.get_final_response().output
    equal(calls_in(output), [OSLO, ROME])
    results = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "4"} for item in output
    ]
    with client.responses.stream(
        model=f"{ANSWERS['provider']}/tool_calls_stream", input=[*COLOUR, *results], tools=FLAT_TOOLS
    ) as stream:
        equal(stream.get_final_response().output_text, "Oslo 4, Rome 12.")


@given(ANSWERS)
def responses_reasoning_stream():
    events = list(respond("reasoning_stream", stream=True))
    deltas = [e.delta for e in events if e.type == "response.reasoning_summary_text.delta"]
    equal("".join(deltas), "The sky comes to mind.")
    final = events[-1].response
    equal((final.output_text, final.usage.output_tokens_details.reasoning_tokens), ("Blue.", 6))
    equal(final.output[0].encrypted_content, "b3duLXNlYWxlZA==")


# Under `shim up` one server speaks several dialects, and so keeps answers itself.
OTHERS = [other for other in map(place, ("openai-chat", "anthropic", "gemini")) if other and WANTS_KEYS]


@given(OTHERS)
def responses_are_gone_on_from_over_any_provider():
    answer = None
    for other in OTHERS:
        before = {"previous_response_id": answer.id} if answer else {}
        model = f"{other['provider']}/plain"
        answer = client.responses.create(model=model, input="Name a colour.", **before)
        equal((answer.output_text, answer.previous_response_id), ("Blue.", before.get("previous_response_id")))
    kept = client.responses.retrieve(answer.id)
    equal((kept.id, kept.output_text), (answer.id, "Blue."))
    events = list(client.responses.retrieve(answer.id, stream=True))
    equal("".join(event.delta for event in events if event.type == "response.output_text.delta"), "Blue.")
    equal((events[0].type, events[-1].type), ("response.created", "response.completed"))
    equal([event.sequence_number for event in events], list(range(len(events))))
    equal(events[-1].response, kept)
    rest = list(client.responses.retrieve(answer.id, stream=True, starting_after=events[-2].sequence_number))
    equal(rest, events[-1:])
    pages = client.responses.input_items.list(answer.id, limit=2, order="asc")
    # An answer of several texts is several messages.
    roles = [role for role, _ in itertools.groupby(item.role for item in pages)]
    equal(roles, ["user", "assistant"] * (len(OTHERS) - 1) + ["user"])
    client.responses.delete(answer.id)
    ask = lambda: client.responses.create(model=model, input="And?", previous_response_id=answer.id)
    equal(raises(openai.BadRequestError, ask).code, "previous_response_not_found")


@given(OTHERS)
def responses_streamed_are_gone_on_from_and_items_referred_to():
    model = f"{OTHERS[0]['provider']}"
    with client.responses.stream(model=f"{model}/plain_stream", input="Name a colour.") as stream:
        first = stream.get_final_response()
    said = [*COLOUR, {"type": "item_reference", "id": first.output[-1].id}, *COLOUR]
    equal(client.responses.create(model=f"{model}/plain", input=said).output_text, "Blue.")
    follow = client.responses.create(model=f"{model}/plain", input="And?", previous_response_id=first.id)
    equal(follow.output_text, "Blue.")
    unstored = client.responses.create(model=f"{model}/plain", input="Hi", store=False)
    ask = lambda: client.responses.create(model=f"{model}/plain", input="And?", previous_response_id=unstored.id)
    equal(raises(openai.BadRequestError, ask).code, "previous_response_not_found")


@given(ANSWERS)
def responses_invalid_is_400():
    error = raises(openai.BadRequestError, lambda: respond("invalid", temperature=9))
    equal(error.param, "temperature")


@given(ANSWERS)
def responses_rate_limited_is_429_with_retry_after():
    error = raises(openai.RateLimitError, lambda: respond("rate_limited"))
    equal(error.response.headers["retry-after"], "2")


@given(ANSWERS)
def responses_failure_in_the_stream_raises():
    def ask():
        with client.responses.stream(model=f"{ANSWERS['provider']}/failed_stream", input="Hello") as stream:
            stream.get_final_response()

    # The SDK gives the event itself, and raises where a whole response is wanted.
    last = list(respond("failed_stream", stream=True))[-1]
    equal(last.type, "error")
    assert "The server had an error" in last.message, last
    raises(RuntimeError, ask)


@given(ANSWERS)
def responses_cut_stream_raises():
    error = raises(openai.APIError, lambda: list(respond("cut", stream=True)))
    assert "before the answer was complete" in str(error), error


@given(ANSWERS)
def responses_cut_stream_raises_in_the_helper():
    def ask():
        with client.responses.stream(model=f"{ANSWERS['provider']}/cut", input="Hello") as stream:
            stream.get_final_response()

    error = raises(openai.APIError, ask)
    assert "before the answer was complete" in str(error), error


@given(ANSWERS)
def responses_unknown_model_is_404():
    wrong = ANSWERS["alias"] + "x"
    error = raises(openai.NotFoundError, lambda: client.responses.create(model=wrong, input="Hello"))
    assert f'did you mean "{ANSWERS["alias"]}"' in error.message, error.message


@given(ANSWERS)
def responses_are_retrieved():
    if WANTS_KEYS:
        # An id that this key did not get from the gateway may be another's: it goes to no provider.
        raises(openai.NotFoundError, lambda: client.responses.retrieve("plain"))
        return
    # Where several providers keep answers, the client says which.
    named = {"x-shim-target": ANSWERS["provider"]}
    raw = client.responses.with_raw_response.retrieve("plain", extra_headers=named)
    equal(raw.headers["x-shim-fidelity"], "exact")
    equal(raw.parse().output_text, "Blue.")


@given(ANSWERS)
def responses_input_tokens():
    count = client.responses.input_tokens.with_raw_response.count
    raw = count(model=f"{ANSWERS['provider']}/plain", input="Hello")
    counted, fidelity = raw.parse().input_tokens, raw.headers["x-shim-fidelity"]
    if WANTS_KEYS:
        equal((counted, fidelity), (11, "exact"))
    else:
        # `shim up` found the provider where Ollama listens, which has no counter: an estimate, and told as one.
        equal((5 <= counted <= 15, fidelity), (True, "mapped; losses=1"))


@given(ANSWERS)
def responses_swap_under_one_client():
    def ask():
        raw = client.responses.with_raw_response.create(model=ANSWERS["alias"], input="Hello")
        return raw.parse().output_text, int(raw.headers["x-shim-generation"])

    swapped(ANSWERS["alias"], ANSWERS["provider"], ask)


@given(ANSWERS)
async def responses_async():
    async with later() as client:
        answer = await client.responses.create(model=f"{ANSWERS['provider']}/plain", input="Hello")
        equal(answer.output_text, "Blue.")
        async with client.responses.stream(
            model=f"{ANSWERS['provider']}/plain_stream", input="Hello"
        ) as stream:
            equal((await stream.get_final_response()).output_text, "Blue.")


main()
