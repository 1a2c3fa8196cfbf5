"""Answers re-encoded in every dialect, held against the official SDKs' own types: `types_suite.py FILE SCRIPTS`.

SCRIPTS is the folder of what `shim conform` asks and answers, which `types_scripts.py` holds against them too.

FILE is what `testkit-retold` writes: every answer and every failure of the corpus, and of recorded traffic where it is
present, told to a client of each dialect, answers whole and streamed. Here
- every whole answer and every event of a stream is validated with the SDK's model, strictly: `model_validate` rather than
  the `construct` by which the SDKs take anything, so that unknown words and missing members fail; in a translated answer
  a member the model does not name fails too, but for those in `NAMED_BY_NOBODY`;
- a stream put together by the SDK's own accumulator says what the whole answer says;
- both say what the answer said in the intermediate representation, but for what a loss tells.
What is relaxed: an answer told in the dialect it came in keeps its provider's words, so what its provider's own bytes get
wrong is not counted there (`of_the_provider`); an answer that is not over has no reason why it ended, which Chat
Completions has no way to say; Anthropic's blocks of its beta are validated with the SDK's beta types.
"""

import copy
import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import get_args

import httpx2
from anthropic._streaming import SSEDecoder as AnthropicDecoder
from anthropic.lib.streaming._beta_messages import accumulate_event as accumulate_beta
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import ErrorResponse, Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from google.genai import types
from openai import omit
from openai._streaming import SSEDecoder as OpenAIDecoder
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter, ValidationError

from types_facts import arguments, read_chat, read_content, read_messages, read_responses
from types_scripts import FOLDERS, Scripts

# Members of answers that the SDKs' models do not name and clients of the dialect know all the same.
NAMED_BY_NOBODY = {
    # Of the provider's own streams: `annotations` of a delta. Of others in this dialect, by the names their clients know:
    # reasoning (DeepSeek), the words cited and images (OpenRouter), signatures (Google).
    "openai-chat": {"reasoning_content", "annotations", "content", "images", "extra_content"},
    # The first two are in the provider's own answers; sound is counted as Chat Completions counts it.
    "openai-responses": {"store", "name", "audio_tokens"},
    # In the counts of a `message_delta`, as the provider's own are.
    "anthropic": {"cache_creation"},
    "gemini": set(),
}

# The words for why an answer ended that a dialect may use for each reason, where no loss says that it is approximated.
ENDS = {
    "openai-chat": {
        "stop": {"stop", "tool_calls", "function_call"}, "sequence": {"stop"}, "length": {"length"},
        "tool_calls": {"tool_calls", "function_call"}, "filter": {"content_filter"}, "refusal": {"stop"},
    },
    "openai-responses": {
        "stop": {"completed"}, "sequence": {"completed"}, "length": {"max_output_tokens"}, "refusal": {"completed"},
        "tool_calls": {"completed"}, "filter": {"content_filter"},
    },
    "anthropic": {
        "stop": {"end_turn", "refusal", "tool_use"}, "sequence": {"stop_sequence"}, "pause": {"pause_turn"},
        "length": {"max_tokens", "model_context_window_exceeded"}, "tool_calls": {"tool_use"},
        "refusal": {"refusal"}, "bad_tool_call": {"tool_use"},
    },
    "gemini": {
        "stop": {"STOP"}, "sequence": {"STOP"}, "tool_calls": {"STOP"}, "length": {"MAX_TOKENS"},
        "filter": {"SAFETY"}, "bad_tool_call": {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"}, "other": {"OTHER"},
    },
}


# Answers of which no more than the events was held against the models: the provider's own bytes are wrong there.
EXCUSED = []


class Wrong(Exception):
    """What is wrong with an answer."""


def demand(condition, what):
    if not condition:
        raise Wrong(what)


def unions_resolved(errors):
    """Of the errors of a union's members, those of the member that the value says it is."""
    others = {tuple(e["loc"][:-1]) for e in errors if e["loc"][-1:] == ("type",) and e["type"] == "literal_error"}
    for other in sorted(others, key=lambda at: (len(at), repr(at))):
        within = lambda error, at: tuple(error["loc"][: len(at)]) == at
        left = [error for error in errors if not within(error, other)]
        # Where no member of the union is the one, the last stands for all.
        errors = left if any(within(error, other[:-1]) for error in left) else errors
    return errors


def faults(validate, value):
    """What a model says against a value: a set of (member, kind of error), and words for people."""
    try:
        validate(value)
        return set(), ""
    except Wrong as wrong:
        return {("", str(wrong))}, str(wrong)
    except ValidationError as error:
        found = unions_resolved(error.errors(include_url=False))
        names = {(next((at for at in reversed(e["loc"]) if isinstance(at, str)), ""), e["type"]) for e in found}
        return names, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:3])
    except UserWarning as warning:
        # The SDK of Google takes a word it does not know with a warning, which is an error here.
        return {("enum", "warning")}, str(warning)


def unnamed(node, found):
    """The members of a validated object that its model does not name."""
    if isinstance(node, BaseModel):
        found.update(node.model_extra or {})
        for name in type(node).model_fields:
            unnamed(getattr(node, name), found)
    elif isinstance(node, list):
        for one in node:
            unnamed(one, found)
    return found


def by_type(union):
    """The models of a union of events, by the types they say they are: quicker than to try each, and no less strict."""
    [models, *_] = get_args(union)
    words = lambda model: get_args(model.model_fields["type"].annotation)
    return {word: TypeAdapter(model) for model in get_args(models) for word in words(model)}


class Dialect:
    """How answers of a dialect are validated, put together and read."""

    def __init__(self, name):
        self.name = name

    def whole(self, body):
        """The validated object."""
        return self.model.model_validate(body)

    def event(self, body):
        """The validated object of an event."""
        demand(body.get("type") in self.events, f"there is no event {body.get('type')}")
        return self.events[body["type"]].validate_python(body)

    def bodies(self, stream):
        """The JSON bodies of a stream's events, as the SDK's own decoder frames them."""
        return [json.loads(sse.data) for sse in OpenAIDecoder().iter_bytes(iter([stream.encode()])) if sse.data]


class Chat(Dialect):
    model = ChatCompletion

    def event(self, body):
        return ChatCompletionChunk.model_validate(body)

    def bodies(self, stream):
        frames = [sse.data for sse in OpenAIDecoder().iter_bytes(iter([stream.encode()]))]
        ended = frames[-1:] == ["[DONE]"]
        bodies = [json.loads(data) for data in (frames[:-1] if ended else frames)]
        failed = bool(bodies) and "error" in bodies[-1]
        demand(ended != failed, f"the stream ends in {frames[-1:]}")
        return bodies

    def put_together(self, events, bodies):
        state = ChatCompletionStreamState()
        for event in events:
            state.handle_chunk(event)
        answer = state.current_completion_snapshot
        # Perplexity's sources, which it tells in every chunk and the accumulator does not know.
        for name in ("citations", "search_results"):
            told = [event.model_extra[name] for event in events if name in (event.model_extra or {})]
            if told:
                answer.__pydantic_extra__[name] = told[-1]
        return answer

    def facts(self, answer):
        return read_chat(answer)

    def failure(self, bodies):
        ErrorObject.model_validate(bodies[-1]["error"])


class Responses(Dialect):
    model, events = Response, by_type(ResponseStreamEvent)

    def put_together(self, events, bodies):
        state = ResponseStreamState(input_tools=omit, text_format=omit)
        for at, event in enumerate(events):
            demand(event.sequence_number == at, f"event {at} has the number {event.sequence_number}")
            state.handle_event(event)
        last = events[-1]
        demand(last.type in ("response.completed", "response.incomplete"), f"the last event is {last.type}")
        grown = state._output_items
        demand(len(grown) == len(last.response.output), "items in the last event were not announced")
        for at, item in enumerate(last.response.output):
            demand(state._completed_output[at] == item, f"item {at} ends as another than the last event has")
            if item.type == "function_call":
                equal(grown[at].arguments, item.arguments, f"the deltas of item {at}")
            if item.type == "message":
                told = lambda of: [part.text for part in of.content if part.type == "output_text"]
                equal(told(grown[at]), told(item), f"the deltas of item {at}")
        return last.response

    def facts(self, answer):
        return read_responses(answer)

    def failure(self, bodies):
        last = bodies[-1]
        if "type" not in last:
            ErrorObject.model_validate(last["error"])
            return
        demand(last["type"] in ("error", "response.failed"), f"the stream ends in {last['type']}")
        self.event(last)


class Messages(Dialect):
    model, events = Message, by_type(RawMessageStreamEvent)
    betas = by_type(BetaRawMessageStreamEvent)

    def whole(self, body):
        return self.stable_or_beta(super().whole, BetaMessage.model_validate, body)

    def event(self, body):
        return self.stable_or_beta(super().event, self.beta, body)

    def beta(self, body):
        return self.betas[body["type"]].validate_python(body)

    def stable_or_beta(self, stable, beta, body):
        """Beta blocks are told to clients that gave them a name in their beta header, so they know the beta's types."""
        try:
            return stable(body)
        except ValidationError as error:
            try:
                return beta(body)
            except ValidationError:
                raise error from None

    def bodies(self, stream):
        bodies = []
        for sse in AnthropicDecoder().iter_bytes(iter([stream.encode()])):
            bodies.append(json.loads(sse.data))
            # The SDK leaves out events whose name it does not know.
            equal(sse.event, bodies[-1]["type"], "the name of an event")
        return bodies

    def put_together(self, events, bodies):
        demand(events[-1].type == "message_stop", f"the last event is {events[-1].type}")
        beta = any(type(event).__module__.startswith("anthropic.types.beta") for event in events)
        add = accumulate_event
        if beta:
            events = [self.beta(body) for body in bodies]
            add = lambda **more: accumulate_beta(request_headers=httpx2.Headers(), **more)
        answer, buffers = None, {}
        for event in events:
            if event.type != "ping":
                answer = add(event=event, current_snapshot=answer, json_bufs=buffers)
        return answer

    def facts(self, answer):
        return read_messages(answer)

    def failure(self, bodies):
        ErrorResponse.model_validate(bodies[-1])


class Content(Dialect):
    model = types.GenerateContentResponse

    def whole(self, body):
        return [super(Content, self).whole(self.known(body))]

    def event(self, body):
        return self.model.model_validate(self.known(body))

    def known(self, body):
        """Without the class of service, which the service tells and the SDK's model leaves out, if it is a known one."""
        usage = dict(body.get("usageMetadata") or {})
        if "serviceTier" not in usage:
            return body
        tier = usage.pop("serviceTier")
        demand(tier in {one.value for one in types.ServiceTier}, f"there is no class of service {tier!r}")
        return {**body, "usageMetadata": usage}

    def put_together(self, events, bodies):
        return events

    def facts(self, chunks):
        return read_content(chunks)

    def failure(self, bodies):
        error = bodies[-1]["error"]
        demand(isinstance(error["code"], int) and error["status"] and error["message"], f"the error is {error}")


DIALECTS = {
    one.name: one
    for one in (Chat("openai-chat"), Responses("openai-responses"), Messages("anthropic"), Content("gemini"))
}


def equal(found, wanted, what):
    demand(found == wanted, f"{what}: found {found!r:.300}, wanted {wanted!r:.300}")


def of_the_provider(record, dialect):
    """What the SDK's model says against the provider's own bytes, which an answer in the same dialect gives back."""
    if record["from"] != record["to"]:
        return set()
    if not record["streamed"]:
        return faults(dialect.whole, json.loads(record["source"]))[0]
    found = set()
    for data in (line[5:].strip() for line in record["source"].splitlines() if line.startswith("data:")):
        if data.startswith("{"):
            found |= faults(dialect.event, json.loads(data))[0]
    return found


def repeats_ids(record):
    """Whether the provider gave two items one id, which the SDK's accumulator refuses."""
    items = [] if record["streamed"] else json.loads(record["source"]).get("output") or []
    ids = [item["id"] for item in items if item.get("id")]
    return len(set(ids)) < len(ids)


def validated(validate, body, excused, what):
    """The object of a body; none where the provider itself got the same wrong."""
    found, words = faults(validate, body)
    if not found:
        return validate(body)
    demand(found <= excused, f"{what}: {words} in {json.dumps(body)[:400]}")
    return None


def check(record):
    """Checks an answer in a dialect, whole and streamed. Gives how many objects were validated."""
    dialect = DIALECTS[record["to"]]
    if "error" in record:
        dialect.failure([json.loads(record["error"])])
        return 1
    losses = record["losses"]
    excused = of_the_provider(record, dialect)
    bodies = dialect.bodies(record["stream"])
    if "fault" in record:
        for body in bodies[:-1]:
            validated(dialect.event, body, excused, "an event")
        dialect.failure(bodies)
        return len(bodies)
    unended = any(one["finish"] is None for one in record["facts"]["candidates"])
    if unended and record["to"] == "openai-chat":
        excused = excused | {("finish_reason", "literal_error")}
    whole = validated(dialect.whole, json.loads(record["whole"]), excused, "the whole answer")
    events = [validated(dialect.event, body, excused, f"event {at}") for at, body in enumerate(bodies)]
    if record["from"] != record["to"]:
        names = unnamed([*(whole if isinstance(whole, list) else [whole]), *events], set())
        strange = names - NAMED_BY_NOBODY[record["to"]]
        demand(not strange, f"no model names {sorted(strange)}")
    if whole is None or None in events:
        EXCUSED.append(record["case"])
        return len(events) + 1
    told = dialect.facts(whole)
    if record["from"] == record["to"] and repeats_ids(record):
        EXCUSED.append(record["case"])
        return len(events) + 1
    same = record["from"] == record["to"]
    carries(told, record["facts"], record["to"], same, [path for path, *_ in losses["whole"]])
    together = dialect.facts(dialect.put_together(events, bodies))
    if unended:
        # Each dialect's streams end, if only in a word for any other reason.
        together["candidates"] = [{**one, "finish": None} for one in together["candidates"]]
        told["candidates"] = [{**one, "finish": None} for one in told["candidates"]]
    for name in told["candidates"][0] if told["candidates"] else ():
        named = lambda facts: [one[name] for one in facts["candidates"]]
        if name == "reasoning":
            # Its pieces may be apart by white space.
            named = lambda facts: ["".join(one["reasoning"].split()) for one in facts["candidates"]]
        equal(named(together), named(told), f"{name} of the stream put together, against the whole answer")
    equal(together["usage"], told["usage"], "the counts of the stream, against the whole answer")
    return len(events) + 1


def addresses(cited):
    """Of what is cited, that which has an address; Anthropic's citations of files name these in its place."""
    return {url for url in cited if url and "://" in url}


def carries(told, facts, to, same, lost):
    """Demands that what a client was told holds the facts, but for what losses name."""
    told_of = lambda word: any(word in path for path in lost)
    wanted = facts["candidates"]
    if len(told["candidates"]) != len(wanted):
        one = to in ("openai-responses", "anthropic") and len(wanted) != 1
        # A prompt that Google blocked has no answer.
        blocked = to == "gemini" and same and not told["candidates"]
        demand(blocked or (one and (not wanted or told_of("candidates[1]"))), f"there are {len(told['candidates'])} candidates")
    for said, fact in zip(told["candidates"], wanted):
        equal(said["text"] + said["refusal"], fact["text"] + fact["refusal"], "the text")
        pieced(said["reasoning"], fact["reasoning"])
        # Tools of a dialect's own that the client runs are calls of functions to clients of another.
        calls = [[name, arguments(text)] for name, text, own in fact["calls"] if not (own and same)]
        equal(said["calls"], calls, "the calls")
        urls = {citation["url"] for citation in fact["citations"]} - {None}
        demand(addresses(said["urls"]) == urls or told_of("citations"), f"{said['urls']} are cited, not {urls}")
        ends = ENDS[to].get(fact["finish"], set())
        demand(said["finish"] in ends or told_of("finish") or fact["finish"] is None, f"it ended by {said['finish']}")
    for name, count in (facts["usage"] or {}).items():
        if name in (told["usage"] or {}) or told["usage"] is None:
            counted = told["usage"] is not None and told["usage"][name] == count
            demand(counted or told_of("usage"), f"{name} is {count}, and the client was told {told['usage']}")


def pieced(text, pieces):
    """Demands that a text is all of `pieces`, with nothing but white space between them."""
    rest = text
    for piece in pieces:
        rest = rest if rest.startswith(piece) else rest.lstrip()
        demand(rest.startswith(piece), f"the reasoning is {text!r:.300}, not {pieces!r:.300}")
        rest = rest[len(piece):]
    equal(rest.strip(), "", "the end of the reasoning")


def spoiled(record):
    """The same answer, wrong in every way the checks are to find: pairs of what is wrong and the record."""
    whole, stream = json.loads(record["whole"]), record["stream"]
    ways = []

    def way(what, change):
        other = copy.deepcopy(record)
        change(other)
        ways.append((what, other))

    def body(change):
        def run(other):
            changed = copy.deepcopy(whole)
            change(changed)
            other["whole"] = json.dumps(changed)
        return run

    first = {
        "openai-chat": lambda b: b["choices"][0], "openai-responses": lambda b: b, "anthropic": lambda b: b,
        "gemini": lambda b: b["candidates"][0],
    }[record["to"]]
    end = {
        "openai-chat": "finish_reason", "openai-responses": "status", "anthropic": "stop_reason",
        "gemini": "finishReason",
    }[record["to"]]
    way("an unknown word", body(lambda b: first(b).update({end: "because"})))
    way("an unknown member", body(lambda b: first(b).update({"invented": 1})))
    if record["to"] != "gemini":
        way("a missing member", body(lambda b: b.pop("model")))
    way("another count in the stream", lambda other: other.update(stream=raised(stream)))
    way("another text", lambda other: other.update(whole=record["whole"].replace("Bl", "Gl")))
    way("another text in the stream", lambda other: other.update(stream=stream.replace("Bl", "Gl")))
    way("a stream without its end", lambda other: other.update(stream=stream.rstrip("\n").rpartition("\n\n")[0] + "\n\n"))
    return ways


def raised(stream):
    """The stream with its counts of output raised."""
    for name in ("completion_tokens\":", "output_tokens\":", "candidatesTokenCount\":"):
        stream = stream.replace(f'"{name}', f'"{name}1')
    return stream


def self_test(record):
    """Demands that every way of being wrong is found."""
    check(record)
    for what, other in spoiled(record):
        try:
            check(other)
        except Wrong:
            continue
        raise Wrong(f"{what} was not found")


def read(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def tell(name, wrong):
    print(f"{'FAIL ' if wrong else 'ok   '} {name}", flush=True)
    for line in wrong[:8]:
        print(f"      {line}", flush=True)


def attempted(check, *arguments):
    """How many objects a check validated, and what it found wrong."""
    try:
        return check(*arguments), []
    except Exception as error:
        more = "" if isinstance(error, Wrong) else traceback.format_exc(limit=-2)
        return 0, [f"{error}{more}"]


def scripts(folder):
    """Checks what `shim conform` asks and answers. Gives whether all is right."""
    held = Scripts(Path(folder), DIALECTS, faults, unnamed, demand)
    right = True
    for name in FOLDERS:
        counted, wrong = attempted(held.finds_what_is_wrong, name)
        for file, check in held.checks(name):
            objects, found = attempted(check, file, name)
            counted += objects
            wrong += [f"{file.name}: {line}" for line in found]
        tell(f"the scripts of shim conform in {name}: {counted} requests, bodies and events", wrong)
        right = right and not wrong
    return right


def main():
    warnings.simplefilter("error", UserWarning)
    right = scripts(sys.argv[2])
    pairs, answers, objects = {}, 0, 0
    for record in read(sys.argv[1]):
        wrong, counted = pairs.setdefault((record["from"], record["to"]), ([], [0]))
        counted[0] += 1
        try:
            objects += check(record)
            answers += 1
        except Exception as error:
            more = "" if isinstance(error, Wrong) else traceback.format_exc(limit=-2)
            wrong.append(f"{record['case']}: {error}{more}")
        foreign = "openai-chat" if record["to"] == "anthropic" else "anthropic"
        if (record["case"], record["from"]) == ("plain", foreign):
            name = f"the checks find what is wrong in {record['to']}"
            try:
                self_test(record)
                tell(name, [])
            except Exception as error:
                tell(name, [repr(error)])
    for (source, to), (wrong, [count]) in pairs.items():
        tell(f"{count} answers and failures of {source} as {to}" + (f", {len(wrong)} wrong" if wrong else ""), wrong)
    print(f"validated {answers} answers and failures: {objects} bodies and events", flush=True)
    print(f"in {len(EXCUSED)} of them the provider's own bytes do not fit its SDK: no more than their form was checked", flush=True)
    sys.exit(0 if right and not any(wrong for wrong, _ in pairs.values()) else 1)


main()
