"""What frameworks do over every upstream, whatever they speak: the checks that `langchain_suite.py` and
`pydantic_ai_suite.py` share.

A framework's client says how it asks: `round(model, tool, streamed)` lets the model call the tool and gives the last
text, `structured(model)` gives the colour of a structured answer, `limited(model)` the status of a refused request.
"""

import json

from provider import DEGREES, PLACES, answered, asked, seen
from suite import equal, given, place

# The case a round asks for, the cities it has the tool asked about, and the text it ends in.
ROUNDS = {
    False: ("tool_call", ["Oslo"], "It is 4 degrees in Oslo."),
    True: ("tool_calls_stream", ["Oslo", "Rome"], "Oslo 4, Rome 12."),
}


class Weather:
    """A tool that keeps where it was asked about."""

    def __init__(self):
        self.cities = []

    def ask(self, city):
        self.cities.append(city)
        return DEGREES[city]


def tool_round(client, upstream, model, streamed):
    case, cities, wanted = ROUNDS[streamed]
    weather = Weather()
    text = client.round(model(case), weather.ask, streamed)
    assert text.endswith(wanted), f"it ends in {text!r}"
    equal(sorted(weather.cities), cities)
    equal(answered(upstream, seen()[-1]), [(city, DEGREES[city]) for city in cities])


def whole_tool_round(client, upstream, model):
    tool_round(client, upstream, model, streamed=False)


def parallel_tool_round_streamed(client, upstream, model):
    tool_round(client, upstream, model, streamed=True)


def structured_output(client, upstream, model):
    equal(client.structured(model("structured")), "blue")
    schema = asked(upstream, seen()[-1])["schema"]
    assert "colour" in (schema or {}).get("properties", {}), f"the provider was asked for {json.dumps(schema)}"


def rate_limited_is_429(client, upstream, model):
    equal(client.limited(model("rate_limited")), 429)


CHECKS = [whole_tool_round, parallel_tool_round_streamed, structured_output, rate_limited_is_429]


def over_all(clients):
    """Adds the checks of clients, by name, over every upstream."""
    for name, client in clients.items():
        for upstream in PLACES:
            for check in CHECKS:
                given(place(upstream))(named(name, client, upstream, check))


def named(name, client, upstream, check):
    def run():
        provider = place(upstream)["provider"]
        check(client, upstream, lambda case: f"{provider}/{case}")

    run.__name__ = f"{name} over {upstream}: {check.__name__}"
    return run
