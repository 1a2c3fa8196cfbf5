"""What an answer says, read from the official SDKs' own objects: the same facts whichever dialect it is told in.

Facts are those `testkit-retold` gives of the intermediate representation: text, refusal, reasoning, calls, citations and
finish of each candidate, and the counts. Each `read_` function takes a validated object of one SDK.
"""

import json


def arguments(text):
    """Arguments of a call as JSON where they are that; none at all is an empty object."""
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        return text


def candidate(finish):
    return {
        "text": "", "refusal": "", "reasoning": "", "calls": [], "ids": [], "urls": [], "cited": [], "finish": finish,
    }


def extra(node, name):
    """A member the SDK's model does not name."""
    return (node.model_extra or {}).get(name)


def read_chat(answer):
    candidates = []
    for choice in answer.choices:
        message, said = choice.message, candidate(choice.finish_reason)
        if isinstance(message.content, str):
            said["text"] = message.content
        said["refusal"] = message.refusal or ""
        said["reasoning"] = extra(message, "reasoning_content") or extra(message, "reasoning") or details(message)
        for call in message.tool_calls or []:
            custom = call.type == "custom"
            said["calls"].append([
                call.custom.name if custom else call.function.name,
                call.custom.input if custom else arguments(call.function.arguments),
            ])
            said["ids"].append(call.id)
        if message.function_call:
            said["calls"].append([message.function_call.name, arguments(message.function_call.arguments)])
        said["urls"] = [url_of(note) for note in message.annotations or []]
        # Perplexity's sources stand beside the answer.
        said["urls"] += extra(answer, "citations") or []
        said["urls"] += [result["url"] for result in extra(answer, "search_results") or []]
        candidates.append(said)
    return {"candidates": candidates, "usage": answer.usage and chat_usage(answer.usage)}


def details(message):
    """The reasoning in OpenRouter's details, where that is all there is."""
    told = extra(message, "reasoning_details") or []
    return "".join(one.get("text") or one.get("summary") or "" for one in told)


def url_of(annotation):
    """The address an annotation of Chat Completions names; accumulated ones are plain objects."""
    if isinstance(annotation, dict):
        return annotation.get("url_citation", {}).get("url")
    return annotation.url_citation.url if annotation.type == "url_citation" else None


def chat_usage(usage):
    read, made = usage.prompt_tokens_details, usage.completion_tokens_details
    return {
        "input": usage.prompt_tokens, "output": usage.completion_tokens, "total": usage.total_tokens,
        "cache_read": read.cached_tokens if read else None, "reasoning": made.reasoning_tokens if made else None,
    }


def read_responses(answer):
    said = candidate(answer.incomplete_details.reason if answer.incomplete_details else answer.status)
    for item in answer.output:
        if item.type == "message":
            for part in item.content:
                if part.type == "refusal":
                    said["refusal"] += part.refusal
                else:
                    said["text"] += part.text
                    said["urls"] += [note.url for note in part.annotations if note.type == "url_citation"]
        elif item.type == "reasoning":
            pieces = [*(item.content or []), *item.summary]
            said["reasoning"] += "".join(piece.text for piece in pieces)
        elif item.type == "function_call":
            said["calls"].append([item.name, arguments(item.arguments)])
            said["ids"].append(item.call_id)
        elif item.type == "custom_tool_call":
            said["calls"].append([item.name, item.input])
            said["ids"].append(item.call_id)
    usage = answer.usage
    return {"candidates": [said], "usage": usage and {
        "input": usage.input_tokens, "output": usage.output_tokens, "total": usage.total_tokens,
        "cache_read": usage.input_tokens_details.cached_tokens,
        "cache_write": usage.input_tokens_details.cache_write_tokens,
        "reasoning": usage.output_tokens_details.reasoning_tokens,
    }}


def read_messages(answer):
    said = candidate(answer.stop_reason)
    for block in answer.content:
        if block.type == "text":
            said["text"] += block.text
            notes = [note for note in block.citations or []]
            said["urls"] += [getattr(note, "url", None) or getattr(note, "source", None) for note in notes]
            said["cited"] += [note.cited_text for note in block.citations or []]
        elif block.type == "thinking":
            said["reasoning"] += block.thinking
        elif block.type == "tool_use":
            said["calls"].append([block.name, block.input])
            said["ids"].append(block.id)
    usage = answer.usage
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return {"candidates": [said], "usage": {
        "input": usage.input_tokens + read + written, "output": usage.output_tokens, "cache_read": read,
        "cache_write": written,
    }}


def read_content(chunks):
    """The facts of one `GenerateContentResponse`, or of all those of a stream: the SDK has no accumulator."""
    numbered = {}
    for one in (one for chunk in chunks for one in chunk.candidates or []):
        said = numbered.setdefault(one.index or 0, candidate(None))
        for part in (one.content and one.content.parts) or []:
            if part.text is not None:
                said["reasoning" if part.thought else "text"] += part.text
            if part.function_call:
                said["calls"].append([part.function_call.name, part.function_call.args or {}])
                said["ids"].append(part.function_call.id)
        sources = (one.grounding_metadata and one.grounding_metadata.grounding_chunks) or []
        said["urls"] += [source.web.uri for source in sources if source.web and source.web.uri]
        cited = (one.citation_metadata and one.citation_metadata.citations) or []
        said["urls"] += [source.uri for source in cited]
        said["finish"] = one.finish_reason.value if one.finish_reason else said["finish"]
    usage = chunks[-1].usage_metadata
    return {"candidates": [numbered[at] for at in sorted(numbered)], "usage": usage and {
        "input": usage.prompt_token_count,
        "output": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        "total": usage.total_token_count, "cache_read": usage.cached_content_token_count or 0,
        "reasoning": usage.thoughts_token_count or 0,
    }}
