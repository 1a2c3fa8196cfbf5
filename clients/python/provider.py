"""What the provider was asked, in the words of each dialect, and what it is asked about."""

import json

from suite import SUITE, equal

PLACES = ("openai-chat", "openai-responses", "anthropic", "gemini")

QUESTION = "Name a colour."
DEGREES = {"Oslo": "4", "Rome": "12"}


def seen():
    """The bodies the upstreams were asked with, oldest first."""
    with open(SUITE["seen"], encoding="utf-8") as lines:
        return [json.loads(line)["body"] for line in lines]


def answered(upstream, body):
    """City and result of each call in a request's conversation, in the words of its dialect."""
    body = json.loads(body)
    calls, results = [], []
    if upstream == "openai-chat":
        for message in body["messages"]:
            calls += [(c["id"], json.loads(c["function"]["arguments"])) for c in message.get("tool_calls", [])]
            if message["role"] == "tool":
                results.append((message["tool_call_id"], message["content"]))
    elif upstream == "openai-responses":
        for item in body["input"]:
            if item.get("type") == "function_call":
                calls.append((item["call_id"], json.loads(item["arguments"])))
            if item.get("type") == "function_call_output":
                results.append((item["call_id"], item["output"]))
    elif upstream == "anthropic":
        blocks = [b for m in body["messages"] if not isinstance(m["content"], str) for b in m["content"]]
        calls = [(b["id"], b["input"]) for b in blocks if b["type"] == "tool_use"]
        results = [(b["tool_use_id"], b["content"]) for b in blocks if b["type"] == "tool_result"]
    else:
        parts = [part for content in body["contents"] for part in content["parts"]]
        of = lambda kind: [part[kind] for part in parts if kind in part]
        # Where there are no ids, the order is what tells.
        calls = [(c.get("id", at), c["args"]) for at, c in enumerate(of("functionCall"))]
        results = [(r.get("id", at), r["response"]) for at, r in enumerate(of("functionResponse"))]
    equal(len({id for id, _ in calls}), len(calls))
    results = dict(results)
    equal({id for id, _ in calls}, set(results))
    return [(args["city"], degrees(results[id])) for id, args in calls]


def asked(upstream, body):
    """System prompt, texts, image, temperature, stop, bound, forced tool and schema of a request, in its dialect's words."""
    body = json.loads(body)
    if upstream == "openai-chat":
        said = {message["role"]: message["content"] for message in body["messages"]}
        parts = said["user"] if isinstance(said["user"], list) else [{"text": said["user"]}]
        images = [part["image_url"]["url"].split(",")[1] for part in parts if "image_url" in part]
        system, stop = said.get("system") or said.get("developer"), body.get("stop")
        bound = body.get("max_completion_tokens", body.get("max_tokens"))
        forced = body["tool_choice"]["function"]["name"] if "tool_choice" in body else None
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    elif upstream == "openai-responses":
        [content] = [item["content"] for item in body["input"] if item["role"] == "user"]
        parts = content if isinstance(content, list) else [{"text": content}]
        images = [part["image_url"].split(",")[1] for part in parts if "image_url" in part]
        inside = [item["content"] for item in body["input"] if item["role"] in ("system", "developer")]
        [system] = inside or [body.get("instructions")]
        stop, bound = None, body.get("max_output_tokens")
        forced = body["tool_choice"]["name"] if "tool_choice" in body else None
        schema = body.get("text", {}).get("format", {}).get("schema")
    elif upstream == "anthropic":
        [message] = body["messages"]
        content = message["content"]
        parts = content if isinstance(content, list) else [{"text": content}]
        images = [part["source"]["data"] for part in parts if "source" in part]
        system, stop, bound = body.get("system"), body.get("stop_sequences"), body.get("max_tokens")
        forced = body["tool_choice"]["name"] if "tool_choice" in body else None
        schema = body.get("output_config", {}).get("format", {}).get("schema")
    else:
        [parts] = [content["parts"] for content in body["contents"]]
        images = [part["inlineData"]["data"] for part in parts if "inlineData" in part]
        system, config = body.get("systemInstruction"), body.get("generationConfig", {})
        system = system and system["parts"][0]["text"]
        body["temperature"], stop = config.get("temperature"), config.get("stopSequences")
        bound, schema = config.get("maxOutputTokens"), config.get("responseJsonSchema")
        calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
        [forced] = calling.get("allowedFunctionNames", [None])
    if isinstance(system, list):
        [block] = system
        system = block["text"]
    return {
        "system": system, "texts": [part["text"] for part in parts if "text" in part], "images": images,
        "temperature": body.get("temperature"), "stop": stop if stop is None else list(stop), "bound": bound,
        "forced": forced, "schema": schema,
    }


def degrees(result):
    """The one text in a tool's result, however it is wrapped."""
    if isinstance(result, str):
        try:
            result = json.loads(result)
        except ValueError:
            return result
    if isinstance(result, dict) and result.get("type") in ("text", "input_text", "output_text"):
        return degrees(result["text"])
    while isinstance(result, (dict, list)):
        [result] = result.values() if isinstance(result, dict) else result
        return degrees(result)
    return str(result)
