"""The square: every SDK over every upstream that speaks another dialect than the SDK does.

The corpus has the same cases in each dialect, so what a client is to see is written once, and `USED`
tells what differs by upstream; each client says how its SDK asks, and in which words of its own it sees an answer.
"""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

import anthropic
import openai
from google import genai
from google.genai import errors, types

from provider import DEGREES, PLACES, QUESTION, answered, asked, seen
from suite import KEY, SUITE, URL, WEATHER, equal, given, main, marks, place, raises

OSLO, ROME = ("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})
THOUGHT = "The sky comes to mind."
SYSTEM = "Be brief."
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ANSWER = {
    "type": "object",
    "properties": {"colour": {"type": "string"}},
    "required": ["colour"],
    "additionalProperties": False,
}


@dataclass
class Used:
    """What a case uses: disjoint counts. `reasoning` is none where the upstream does not tell it from the text."""

    uncached: int
    cached: int
    text: int
    reasoning: int | None = 0


USUAL = {"plain": Used(8, 0, 3), "tool_call": Used(20, 0, 9), "reasoning_stream": Used(8, 0, 3, 6)}
# Chat Completions has cases with cached tokens.
USED = {
    "openai-chat": {
        "plain": Used(8, 4, 3, 2), "tool_call": Used(8, 4, 3, 2), "reasoning_stream": Used(12, 0, 3, 6),
    },
    "openai-responses": USUAL,
    "anthropic": {**USUAL, "reasoning_stream": Used(8, 0, 9, None)},
    "gemini": USUAL,
}


@dataclass
class Said:
    """What a client saw of an answer."""

    text: str
    finish: str
    # Names and arguments of calls.
    calls: list
    # What the client counts, in its own words; none where the upstream did not count.
    usage: dict | None
    headers: dict
    # The answer as this client sends it back.
    turn: list
    thought: str = ""
    ids: list = field(default_factory=list)


class Chat:
    """The `openai` SDK, Chat Completions."""

    name, dialect = "chat", "openai-chat"
    stop, called = "stop", "tool_calls"
    invalid, limited, failed = openai.BadRequestError, openai.RateLimitError, openai.APIError
    reasoning = {"reasoning_effort": "low"}
    # What the upstream of a dialect cannot be told, and where the client said it.
    lost = {
        "openai-responses": ({"seed": 7}, "seed"),
        "anthropic": ({"seed": 7}, "seed"),
        "gemini": ({"logit_bias": {"7": -100}}, "logit_bias"),
    }
    tools = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]}
    user = [{"role": "user", "content": QUESTION}]
    full = {
        "turns": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": [
                {"type": "text", "text": QUESTION},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            ]},
        ],
        "temperature": 0.5, "stop": ["END"], "max_completion_tokens": 64, **tools,
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
    }
    schema = {"response_format": {
        "type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER, "strict": True},
    }}

    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
        self.completions = self.client.chat.completions

    def whole(self, model, turns=None, **more):
        raw = self.completions.with_raw_response.create(model=model, messages=turns or self.user, **more)
        return self.said(raw.parse(), raw.headers)

    def streamed(self, model, turns=None, **more):
        thought = ""
        options = {"include_usage": True}
        with self.completions.stream(
            model=model, messages=turns or self.user, stream_options=options, **more
        ) as stream:
            for event in stream:
                if event.type == "chunk" and event.chunk.choices:
                    thought += getattr(event.chunk.choices[0].delta, "reasoning_content", None) or ""
            said = self.said(stream.get_final_completion(), stream._response.headers)
        said.thought = thought
        return said

    def said(self, answer, headers):
        [choice] = answer.choices
        message, calls = choice.message, choice.message.tool_calls or []
        named = [{"name": c.function.name, "arguments": c.function.arguments} for c in calls]
        turn = {"role": "assistant", "content": message.content}
        if calls:
            turn["tool_calls"] = [
                {"id": call.id, "type": "function", "function": function}
                for call, function in zip(calls, named)
            ]
        usage = answer.usage
        read = usage and usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens
        made = usage and usage.completion_tokens_details
        thought = made and made.reasoning_tokens
        return Said(
            text=message.content or "",
            finish=choice.finish_reason,
            calls=[(f["name"], json.loads(f["arguments"])) for f in named],
            usage=usage and {
                "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens, "cached_tokens": read or 0, "reasoning_tokens": thought or 0,
            },
            headers=headers,
            turn=[turn],
            ids=[call.id for call in calls],
        )

    def counts(self, used):
        given, made = used.uncached + used.cached, used.text + (used.reasoning or 0)
        return {
            "prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made,
            "cached_tokens": used.cached, "reasoning_tokens": used.reasoning or 0,
        }

    def results(self, said):
        return [
            {"role": "tool", "tool_call_id": id, "content": DEGREES[args["city"]]}
            for id, (_, args) in zip(said.ids, said.calls)
        ]

    def turns(self, said):
        return [*self.user, *said.turn, *self.results(said)]

    def retry_after(self, error):
        return error.response.headers["retry-after"]


class Responses:
    """The `openai` SDK, Responses."""

    name, dialect = "responses", "openai-responses"
    stop = called = "completed"
    invalid, limited = openai.BadRequestError, openai.RateLimitError
    # The SDK gives an `error` event itself, and raises where a whole response is wanted.
    failed = (openai.APIError, RuntimeError)
    reasoning = {"reasoning": {"effort": "low", "summary": "auto"}}
    lost = {
        upstream: ({"max_tool_calls": 3}, "max_tool_calls")
        for upstream in ("openai-chat", "anthropic", "gemini")
    }
    tools = {"tools": [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]}
    user = [{"role": "user", "content": QUESTION}]
    full = {
        "turns": [{"role": "user", "content": [
            {"type": "input_text", "text": QUESTION},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        ]}],
        "instructions": SYSTEM, "temperature": 0.5, "max_output_tokens": 64, **tools,
        "tool_choice": {"type": "function", "name": "weather"},
    }
    schema = {"text": {"format": {"type": "json_schema", "name": "answer", "schema": ANSWER, "strict": True}}}

    def __init__(self):
        self.client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

    def whole(self, model, turns=None, **more):
        create = self.client.responses.with_raw_response.create
        raw = create(model=model, input=turns or self.user, **more)
        return self.said(raw.parse(), raw.headers)

    def streamed(self, model, turns=None, **more):
        thought, text = "", ""
        with self.client.responses.stream(model=model, input=turns or self.user, **more) as stream:
            for event in stream:
                # What the upstream does not call a summary is shown as the reasoning itself.
                if event.type in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
                    thought += event.delta
                if event.type == "response.output_text.delta":
                    text += event.delta
            said = self.said(stream.get_final_response(), stream._response.headers)
        equal(text, said.text)
        said.thought = thought
        return said

    def said(self, answer, headers):
        calls = [item for item in answer.output if item.type == "function_call"]
        usage = answer.usage
        clean = lambda item: {k: v for k, v in item.to_dict().items() if k != "parsed_arguments"}
        return Said(
            text=answer.output_text,
            finish=answer.status,
            calls=[(call.name, json.loads(call.arguments)) for call in calls],
            usage=usage and {
                "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens, "cached_tokens": usage.input_tokens_details.cached_tokens,
                "reasoning_tokens": usage.output_tokens_details.reasoning_tokens,
            },
            headers=headers,
            turn=[clean(item) for item in answer.output],
            ids=[call.call_id for call in calls],
        )

    def counts(self, used):
        given, made = used.uncached + used.cached, used.text + (used.reasoning or 0)
        return {
            "input_tokens": given, "output_tokens": made, "total_tokens": given + made,
            "cached_tokens": used.cached, "reasoning_tokens": used.reasoning or 0,
        }

    def turns(self, said):
        results = [
            {"type": "function_call_output", "call_id": id, "output": DEGREES[args["city"]]}
            for id, (_, args) in zip(said.ids, said.calls)
        ]
        return [*self.user, *said.turn, *results]

    retry_after = Chat.retry_after


class Messages:
    """The `anthropic` SDK."""

    name, dialect = "messages", "anthropic"
    stop, called = "end_turn", "tool_use"
    invalid, limited, failed = anthropic.BadRequestError, anthropic.RateLimitError, anthropic.APIError
    reasoning = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
    lost = {
        "openai-chat": ({"extra_body": {"top_k": 7}}, "top_k"),
        "openai-responses": ({"extra_body": {"top_k": 7}}, "top_k"),
        "gemini": ({"extra_body": {"inference_geo": "us"}}, "inference_geo"),
    }
    tools = {"tools": [{"name": "weather", "input_schema": WEATHER}]}
    user = [{"role": "user", "content": QUESTION}]
    full = {
        "turns": [{"role": "user", "content": [
            {"type": "text", "text": QUESTION},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ]}],
        # The SDK no longer names the temperature, the dialect does.
        "extra_body": {"temperature": 0.5},
        "system": SYSTEM, "stop_sequences": ["END"], "max_tokens": 64, **tools,
        "tool_choice": {"type": "tool", "name": "weather"},
    }
    schema = {"output_config": {"format": {"type": "json_schema", "schema": ANSWER}}}

    def __init__(self):
        self.client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)

    def whole(self, model, turns=None, **more):
        asked = {"model": model, "max_tokens": 50, "messages": turns or self.user, **more}
        raw = self.client.messages.with_raw_response.create(**asked)
        return self.said(raw.parse(), raw.headers)

    def streamed(self, model, turns=None, **more):
        asked = {"model": model, "max_tokens": 50, "messages": turns or self.user, **more}
        with self.client.messages.stream(**asked) as stream:
            text = "".join(stream.text_stream)
            said = self.said(stream.get_final_message(), stream.response.headers)
        equal(text, said.text)
        return said

    def said(self, answer, headers):
        of = lambda kind: [block for block in answer.content if block.type == kind]
        usage = answer.usage
        return Said(
            text="".join(block.text for block in of("text")),
            thought="".join(block.thinking for block in of("thinking")),
            finish=answer.stop_reason,
            calls=[(block.name, block.input) for block in of("tool_use")],
            usage={
                "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
                "cache_read_input_tokens": usage.cache_read_input_tokens or 0,
                "cache_creation_input_tokens": usage.cache_creation_input_tokens or 0,
            },
            headers=headers,
            turn=[{"role": "assistant", "content": [block.to_dict() for block in answer.content]}],
            ids=[block.id for block in of("tool_use")],
        )

    def counts(self, used):
        return {
            "input_tokens": used.uncached, "output_tokens": used.text + (used.reasoning or 0),
            "cache_read_input_tokens": used.cached, "cache_creation_input_tokens": 0,
        }

    def turns(self, said):
        results = [
            {"type": "tool_result", "tool_use_id": id, "content": DEGREES[args["city"]]}
            for id, (_, args) in zip(said.ids, said.calls)
        ]
        return [*self.user, *said.turn, {"role": "user", "content": results}]

    retry_after = Chat.retry_after


class Content:
    """The `google-genai` SDK."""

    name, dialect = "content", "gemini"
    stop = called = "STOP"
    invalid = limited = errors.ClientError
    failed = errors.APIError
    reasoning = {"thinking_config": {"include_thoughts": True, "thinking_budget": 1024}}
    lost = {
        "openai-chat": ({"top_k": 7}, "generationConfig.topK"),
        "openai-responses": ({"top_k": 7}, "generationConfig.topK"),
        "anthropic": ({"seed": 7}, "generationConfig.seed"),
    }
    tools = {
        "tools": [{"function_declarations": [{"name": "weather", "parameters_json_schema": WEATHER}]}],
        "automatic_function_calling": {"disable": True},
    }
    user = [{"role": "user", "parts": [{"text": QUESTION}]}]
    full = {
        "turns": [{"role": "user", "parts": [
            {"text": QUESTION}, {"inline_data": {"mime_type": "image/png", "data": PNG}},
        ]}],
        "system_instruction": SYSTEM, "temperature": 0.5, "stop_sequences": ["END"], "max_output_tokens": 64,
        **tools,
        "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}},
    }
    schema = {"response_mime_type": "application/json", "response_json_schema": ANSWER}

    def __init__(self):
        once = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(base_url=URL, retry_options=once)
        self.client = genai.Client(api_key=KEY, http_options=options)
        self.models = self.client.models

    def whole(self, model, turns=None, **more):
        answer = self.models.generate_content(model=model, contents=turns or self.user, config=more or None)
        return self.said([answer])

    def streamed(self, model, turns=None, **more):
        asked = {"model": model, "contents": turns or self.user, "config": more or None}
        return self.said(list(self.models.generate_content_stream(**asked)))

    def said(self, chunks):
        contents = [chunk.candidates[0].content for chunk in chunks if chunk.candidates]
        parts = [part for content in contents if content for part in content.parts or []]
        calls = [part.function_call for part in parts if part.function_call]
        text = lambda thought: "".join(p.text for p in parts if p.text and bool(p.thought) == thought)
        usage = chunks[-1].usage_metadata
        return Said(
            text=text(False),
            thought=text(True),
            finish=chunks[-1].candidates[0].finish_reason.value,
            calls=[(call.name, call.args) for call in calls],
            usage=usage and {
                "prompt_token_count": usage.prompt_token_count,
                "candidates_token_count": usage.candidates_token_count,
                "cached_content_token_count": usage.cached_content_token_count or 0,
                "thoughts_token_count": usage.thoughts_token_count or 0,
                "total_token_count": usage.total_token_count,
            },
            headers=chunks[0].sdk_http_response.headers,
            turn=[types.Content(role="model", parts=parts)],
            ids=[call.id for call in calls],
        )

    def counts(self, used):
        given, made = used.uncached + used.cached, used.text + (used.reasoning or 0)
        return {
            "prompt_token_count": given, "candidates_token_count": used.text,
            "cached_content_token_count": used.cached, "thoughts_token_count": used.reasoning or 0,
            "total_token_count": given + made,
        }

    def turns(self, said):
        answer = lambda id, name, args: types.Part(
            function_response=types.FunctionResponse(
                id=id, name=name, response={"result": DEGREES[args["city"]]}
            )
        )
        parts = [answer(id, *call) for id, call in zip(said.ids, said.calls)]
        return [*self.user, *said.turn, types.Content(role="user", parts=parts)]

    def retry_after(self, error):
        told = error.details["error"]["details"]
        equal((error.status, [d["retryDelay"] for d in told if "retryDelay" in d]), ("RESOURCE_EXHAUSTED", ["2s"]))
        return error.response.headers["retry-after"]


def operators(path):
    """What the operators' address tells."""
    url = f"http://{SUITE['operators'].removeprefix('http://')}/v1/{path}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def settled(find):
    """What `find` gives, once the exchange it looks for is settled: that may be after its answer has come."""
    for _ in range(100):
        try:
            return find()
        except (urllib.error.HTTPError, LookupError):
            time.sleep(0.02)
    return find()


def record(headers):
    """The operators' record of an exchange."""
    return settled(lambda: operators(f"exchanges/{headers['x-shim-exchange']}"))


def failed(target):
    """Outcome and fault of the last exchange, which was with `target`."""

    def find():
        last = operators("exchanges")["exchanges"][0]
        if last["target"] != target:
            raise LookupError(f"the last exchange is {last}")
        return last["outcome"], last["fault"]

    return settled(find)


def mapped(said, target):
    """Checks the marks of a translated answer; gives the record of its exchange."""
    equal(said.headers["x-shim-target"], target)
    fidelity, _, count = said.headers["x-shim-fidelity"].partition("; losses=")
    equal(fidelity, "mapped")
    kept = record(said.headers)
    equal((kept["fidelity"], kept["target"], kept["outcome"]), ("mapped", target, "delivered"))
    assert len(kept["losses"]) >= int(count), kept["losses"]
    return kept


CHECKS = []


def square(check):
    """A check of every client over every upstream of another dialect."""
    CHECKS.append(check)
    return check


class Pair:
    """A client, and an upstream that speaks another dialect."""

    def __init__(self, client, upstream):
        self.client, self.upstream, self.provider = client, upstream, place(upstream)["provider"]

    def model(self, case):
        return f"{self.provider}/{case}"

    def whole(self, case, *turns, **more):
        return self.client.whole(self.model(case), *turns, **more)

    def streamed(self, case, *turns, **more):
        return self.client.streamed(self.model(case), *turns, **more)

    def counted(self, said, case):
        equal(said.usage, self.client.counts(USED[self.upstream][case]))


@square
def whole(pair):
    said = pair.whole("plain")
    equal((said.text, said.finish, said.calls), ("Blue.", pair.client.stop, []))
    mapped(said, pair.model("plain"))
    pair.counted(said, "plain")


@square
def streamed(pair):
    said = pair.streamed("plain_stream")
    equal((said.text, said.finish, said.calls), ("Blue.", pair.client.stop, []))
    mapped(said, pair.model("plain_stream"))
    pair.counted(said, "plain")


@square
def what_is_asked_reaches_the_upstream(pair):
    full = dict(pair.client.full)
    # Responses knows no stop sequences: an answer that is to end at one cannot be asked there.
    if pair.upstream == "openai-responses":
        full = {name: value for name, value in full.items() if not name.startswith("stop")}
    stop = None if "openai-responses" in (pair.client.dialect, pair.upstream) else ["END"]
    pair.whole("plain", full.pop("turns"), **full)
    equal(asked(pair.upstream, seen()[-1]), {
        "system": SYSTEM, "texts": [QUESTION], "images": [PNG], "temperature": 0.5, "stop": stop, "bound": 64,
        "forced": "weather", "schema": None,
    })


@square
def schema_of_the_answer_reaches_the_upstream(pair):
    pair.whole("plain", **pair.client.schema)
    equal(asked(pair.upstream, seen()[-1])["schema"], ANSWER)


@square
def tool_round(pair):
    called = pair.whole("tool_call", **pair.client.tools)
    equal((called.calls, called.finish), ([OSLO], pair.client.called))
    equal(called.text, "I will look." if pair.upstream == "anthropic" else "")
    pair.counted(called, "tool_call")
    told = pair.whole("tool_call", pair.client.turns(called), **pair.client.tools)
    equal((told.text, told.finish), ("It is 4 degrees in Oslo.", pair.client.stop))
    equal(answered(pair.upstream, seen()[-1]), [("Oslo", "4")])


@square
def parallel_tool_round_streamed(pair):
    called = pair.streamed("tool_calls_stream", **pair.client.tools)
    equal((called.calls, called.finish), ([OSLO, ROME], pair.client.called))
    told = pair.streamed("tool_calls_stream", pair.client.turns(called), **pair.client.tools)
    equal((told.text, told.finish), ("Oslo 4, Rome 12.", pair.client.stop))
    equal(answered(pair.upstream, seen()[-1]), [("Oslo", "4"), ("Rome", "12")])


@square
def reasoning_streamed(pair):
    said = pair.streamed("reasoning_stream", **pair.client.reasoning)
    equal((said.thought, said.text, said.finish), (THOUGHT, "Blue.", pair.client.stop))
    pair.counted(said, "reasoning_stream")


@square
def losses_are_told(pair):
    more, path = pair.client.lost[pair.upstream]
    said = pair.whole("plain", **more)
    equal(said.text, "Blue.")
    kept = mapped(said, pair.model("plain"))
    lost = {loss["path"]: loss["kind"] for loss in kept["losses"]}
    assert lost.get(path) in ("dropped", "approximated"), kept["losses"]


@square
def strict_refuses_before_it_asks(pair):
    more, path = pair.client.lost[pair.upstream]
    strict = f"strict-{pair.provider}"
    equal(pair.client.whole(strict).text, "Blue.")
    before = len(seen())
    error = raises(pair.client.invalid, lambda: pair.client.whole(strict, **more))
    equal(getattr(error, "status_code", None) or error.code, 400)
    assert path in str(error), error
    equal(len(seen()), before)


@square
def strict_goes_on_to_a_target_that_can_carry_it(pair):
    more, _ = pair.client.lost[pair.upstream]
    own = place(pair.client.dialect)["provider"]
    said = pair.client.whole(f"strict-{pair.provider}-then-{own}", **more)
    equal(said.text, "Blue.")
    marks(said.headers, f"{own}/plain")


@square
def rate_limited_is_429_with_retry_after(pair):
    error = raises(pair.client.limited, lambda: pair.whole("rate_limited"))
    equal(getattr(error, "status_code", None) or error.code, 429)
    equal(pair.client.retry_after(error), "2")
    raises(pair.client.limited, lambda: pair.streamed("rate_limited"))


@square
def invalid_is_400(pair):
    error = raises(pair.client.invalid, lambda: pair.whole("invalid"))
    equal(getattr(error, "status_code", None) or error.code, 400)
    assert "temperature" in str(error), error


@square
def failure_in_the_stream_raises(pair):
    raises(pair.client.failed, lambda: pair.streamed("failed_stream"))
    outcome, fault = failed(pair.model("failed_stream"))
    assert (outcome, fault) in (("failed", "upstream_error"), ("failed", "upstream_overloaded")), (outcome, fault)


@square
def cut_stream_raises(pair):
    error = raises(pair.client.failed, lambda: pair.streamed("cut"))
    assert "before the answer was complete" in str(error), error
    equal(failed(pair.model("cut")), ("failed", "upstream_cut"))


def named(check, pair):
    def run():
        check(pair)

    run.__name__ = f"{pair.client.name} over {pair.upstream}: {check.__name__}"
    return run


for client in (Chat(), Responses(), Messages(), Content()):
    for upstream in PLACES:
        if upstream != client.dialect:
            for check in CHECKS:
                given(place(upstream))(named(check, Pair(client, upstream)))

main()
