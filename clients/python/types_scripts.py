"""What `shim conform` asks and answers, held against the official SDKs' own types.

The scripts of `crates/shim-conform/data` stand for the providers, so they are validated as answers that are told are, but
without any excuse: no member that a model does not name, but for those in `NAMED_ELSEWHERE`, which other providers of the
dialect document. Requests are validated with the types of the SDKs' own parameters, which no SDK does by itself.
"""

import json
import sys

from google.genai import types
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParams
from anthropic.types.message_create_params import MessageCreateParams
from pydantic import BaseModel, ConfigDict, TypeAdapter

# Members that the SDKs' models do not name.
NAMED_ELSEWHERE = {
    # As DeepSeek documents it.
    "openai_chat": {"reasoning_content"},
    # In recorded answers of the provider.
    "openai_responses": {"store"},
    # The newest models take them no longer, and the SDK dropped them; the older models take them.
    "anthropic_messages": {"temperature", "top_p"},
    "gemini_generate": set(),
}

FOLDERS = {
    "openai_chat": "openai-chat", "openai_responses": "openai-responses", "anthropic_messages": "anthropic",
    "gemini_generate": "gemini",
}

# Scripts that end before they are done.
CUT = {"cut", "failed_inside"}

# Scripts that are errors.
ERRORS = {"unauthorized", "rate_limited", "invalid", "failed", "overloaded"}


def forbid_more():
    """Has every type of a parameter refuse members that it does not name."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("openai.types", "anthropic.types")):
            for one in vars(module).values():
                if isinstance(one, type) and hasattr(one, "__total__") and hasattr(one, "__annotations__"):
                    # Members of schemas and metadata are their owners' to name.
                    one.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def consumed(value):
    """The value with what pydantic validates no sooner than it is taken, which are all iterables."""
    if isinstance(value, dict):
        return {key: consumed(one) for key, one in value.items()}
    if isinstance(value, (str, bytes, int, float, type(None), BaseModel)):
        return value
    return [consumed(one) for one in value]


class ContentRequest(BaseModel):
    """A request of generateContent, put together of the SDK's models: it has none for the whole."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    contents: list[types.Content]
    tools: list[types.Tool] | None = None
    toolConfig: types.ToolConfig | None = None
    safetySettings: list[types.SafetySetting] | None = None
    systemInstruction: types.Content | None = None
    generationConfig: types.GenerationConfig | None = None
    cachedContent: str | None = None


def without(value, names):
    """The value without members of these names."""
    if isinstance(value, dict):
        return {key: without(one, names) for key, one in value.items() if key not in names}
    return [without(one, names) for one in value] if isinstance(value, list) else value


class Scripts:
    """The scripts, and how each is validated by the suite's own means."""

    def __init__(self, folder, dialects, faults, unnamed, demand):
        forbid_more()
        self.folder, self.dialects, self.faults, self.unnamed, self.demand = folder, dialects, faults, unnamed, demand
        self.requests = {
            "openai_chat": TypeAdapter(CompletionCreateParams).validate_python,
            "openai_responses": TypeAdapter(ResponseCreateParams).validate_python,
            "anthropic_messages": TypeAdapter(MessageCreateParams).validate_python,
            "gemini_generate": ContentRequest.model_validate,
        }

    def object(self, validate, body, folder, what):
        """The validated object of a body."""
        found, words = self.faults(validate, body)
        self.demand(not found, f"{what}: {words} in {json.dumps(body)[:300]}")
        whole = validate(body)
        strange = self.unnamed(whole if isinstance(whole, list) else [whole], set()) - NAMED_ELSEWHERE[folder]
        self.demand(not strange, f"{what}: no model names {sorted(strange)}")
        return whole

    def request(self, file, folder):
        self.asked(json.loads(file.read_text()), folder)
        return 1

    def asked(self, body, folder):
        """Demands that the SDK's parameters have what a request says."""
        body = without(body, NAMED_ELSEWHERE[folder])
        validate = lambda value: consumed(self.requests[folder](value))
        found, words = self.faults(validate, body)
        self.demand(not found, words)

    def whole(self, file, folder):
        dialect, body = self.dialects[FOLDERS[folder]], json.loads(file.read_text())
        if file.stem in ERRORS or "error" in body and file.stem in CUT and folder != "openai_responses":
            dialect.failure([body])
        else:
            self.object(dialect.whole, body, folder, "the whole answer")
        return 1

    def stream(self, file, folder):
        dialect = self.dialects[FOLDERS[folder]]
        text = file.read_text()
        bodies = bodies_of(dialect, text, file.stem)
        failed = file.stem == "failed_inside"
        if failed:
            dialect.failure(bodies)
        told = bodies[:-1] if failed else bodies
        # The SDK of Anthropic takes pings out before it looks at what an event is.
        told = [body for body in told if body != {"type": "ping"}]
        events = [self.object(dialect.event, body, folder, f"event {at}") for at, body in enumerate(told)]
        whole = file.with_suffix(".json")
        if file.stem not in CUT:
            self.demand(whole.exists(), "there is no whole answer")
            self.same(dialect, events, told, json.loads(whole.read_text()))
        return len(bodies)

    def same(self, dialect, events, bodies, whole):
        """Demands that a stream, put together by the SDK, says what the whole answer says."""
        streamed = dialect.facts(dialect.put_together(events, bodies))
        told = dialect.facts(dialect.whole(whole))
        self.demand(streamed == told, f"the stream says {streamed!r:.400}, and the whole answer {told!r:.400}")

    def finds_what_is_wrong(self, folder):
        """Demands that a member nobody names is found in the first request and in the first answer of a dialect."""
        spoilt = lambda name: {**json.loads((self.folder / folder / name).read_text()), "invented": 1}
        request = lambda: self.asked(spoilt("plain.request.json"), folder)
        answer = lambda: self.object(self.dialects[FOLDERS[folder]].whole, spoilt("plain.json"), folder, "the answer")
        for what, check in (("request", request), ("answer", answer)):
            found = self.faults(lambda _: check(), None)[0]
            self.demand(found, f"an invented member of a {what} was not found")
        return 2

    def checks(self, folder):
        """What is checked in a dialect's folder: a script and what checks it."""
        for file in sorted((self.folder / folder).iterdir()):
            if file.name.endswith(".request.json"):
                yield file, self.request
            elif file.suffix == ".json":
                yield file, self.whole
            else:
                yield file, self.stream


def bodies_of(dialect, text, stem):
    """The bodies of a stream; of one that is cut, those before the cut."""
    if stem == "cut" and dialect.name == "openai-chat":
        return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
    return dialect.bodies(text)
