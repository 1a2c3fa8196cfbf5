"""What every suite needs: where the gateway is, one line for each check, and swaps.

`cargo xtask clients` starts the gateway and the provider behind it, and says in the environment variable SHIM_SUITE
where they are: {"url", "key", "operators", "seen", "store", "shim", "wants_keys", "places": {dialect: {"provider",
"alias"}}}.
"""

import asyncio
import inspect
import json
import os
import subprocess
import sys
import traceback

SUITE = json.loads(os.environ["SHIM_SUITE"])
URL = SUITE["url"]
KEY = SUITE["key"]
WANTS_KEYS = SUITE["wants_keys"]

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

_checks = []


def place(dialect):
    """Provider and alias of a dialect; none where the gateway has no upstream that speaks it."""
    return SUITE["places"].get(dialect)


def given(condition):
    """Adds a check, sync or async, where `condition` holds. Its name is what it says."""

    def add(run):
        if condition:
            _checks.append(run)
        return run

    return add


check = given(True)


def raises(kind, run):
    """The exception of `kind` that `run` must raise."""
    try:
        run()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


async def raises_async(kind, coroutine):
    """The exception of `kind` that awaiting must raise."""
    try:
        await coroutine
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def equal(found, wanted):
    """Fails, with both, unless they are equal."""
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def marks(headers, target):
    """The headers by which an exact answer says where it came from; gives the generation."""
    assert headers.get("x-shim-exchange"), f"no x-shim-exchange in {dict(headers)}"
    equal(headers.get("x-shim-target"), target)
    equal(headers.get("x-shim-fidelity"), "exact")
    return int(headers["x-shim-generation"])


def swap(alias, *how):
    """`shim swap`, as an operator types it."""
    command = [SUITE["shim"], "swap", alias, *how, "--operators", SUITE["operators"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command[1:]}: {done.stdout}{done.stderr}"


def swapped(alias, provider, ask):
    """Swaps the model under `alias` between two calls of one client, and back. `ask` gives text and generation."""
    swap(alias, "--to", f"{provider}/plain", "--now")
    text, first = ask()
    equal(text, "Blue.")
    swap(alias, "--to", f"{provider}/other", "--now")
    text, second = ask()
    equal(text, "Red.")
    swap(alias, "--back")
    text, third = ask()
    equal(text, "Blue.")
    assert first < second < third, f"generations {first}, {second}, {third}"
    # The next suite finds neither of the two in force.
    swap(alias, "--to", f"{provider}/plain_stream", "--now")


def main():
    """Runs the checks in the order they were written."""
    failed = 0
    for run in _checks:
        name = run.__name__.strip("_").replace("_", " ")
        try:
            asyncio.run(run()) if inspect.iscoroutinefunction(run) else run()
            print(f"ok    {name}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {name}", flush=True)
            traceback.print_exc(limit=-4, file=sys.stdout)
    sys.exit(1 if failed else 0)
