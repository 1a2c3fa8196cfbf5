"""The ledger, exported as Parquet, as DuckDB reads it: types, and value by value what the JSON lines say."""

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from datetime import datetime

import duckdb
from suite import KEY, SUITE, URL, check, equal, main


def ask(body):
    """Asks the gateway, well or badly, and gives the exchange's id."""
    request = urllib.request.Request(
        f"{URL}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {KEY}", "x-shim-client-id": "mine"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
            return answer.headers["x-shim-exchange"]
    except urllib.error.HTTPError as error:
        error.read()
        return error.headers["x-shim-exchange"]


def export(*how):
    """`shim ledger export`, as an operator types it."""
    command = [SUITE["shim"], "ledger", "export", "--store", SUITE["store"], *how]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 0, f"{command[1:]}: {done.stderr}"
    return done.stdout


def lines(text):
    """The rows of an export in JSON lines, by exchange."""
    rows = [json.loads(line) for line in text.decode().splitlines()]
    return {row["exchange"]: row for row in rows}


def recorded(ids):
    """Waits until the ledger has all of these exchanges."""
    for _ in range(200):
        if set(ids) <= set(lines(export())):
            return
        time.sleep(0.05)
    raise AssertionError("they are not recorded")


def table():
    """The ledger as DuckDB reads it: names and types of its columns, and its rows by exchange."""
    question = [{"role": "user", "content": "hi"}]
    recorded([
        ask({"model": "chat", "messages": question}),
        ask({"model": "chat", "stream": True, "messages": question}),
        ask({"model": "messages", "messages": question}),
        ask({"model": "chat-lab/nothing ünder this \"name\"", "messages": question}),
    ])
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "ledger.parquet")
        with open(file, "wb") as out:
            out.write(export("--format", "parquet"))
        found = duckdb.sql(f"SELECT * FROM read_parquet('{file}')")
        names = list(found.columns)
        types = dict(zip(names, (str(kind) for kind in found.types)))
        # A time with its zone would need another package to become one of Python's.
        found = duckdb.sql(f"SELECT * REPLACE (epoch_ms(\"at\") AS \"at\") FROM read_parquet('{file}')")
        rows = [dict(zip(names, row)) for row in found.fetchall()]
    return types, {row["exchange"]: row for row in rows}


@check
def the_columns_have_the_types_that_are_told():
    types, _ = table()
    wanted = {
        "exchange": "VARCHAR",
        "at": "TIMESTAMP WITH TIME ZONE",
        "model": "VARCHAR",
        "streamed": "BOOLEAN",
        "cost_unknown": "BOOLEAN",
        "cost_pico_usd": "BIGINT",
        "delivered_pico_usd": "BIGINT",
        "charged_pico_usd": "BIGINT",
        "input_uncached": "BIGINT",
        "duration_us": "BIGINT",
        "losses": "VARCHAR",
    }
    equal({name: types.get(name) for name in wanted}, wanted)


@check
def every_value_is_that_of_the_json_lines():
    _, rows = table()
    said = lines(export())
    assert len(rows) >= 4 and set(rows) <= set(said), f"{len(rows)} rows, {len(said)} lines"
    for exchange, row in rows.items():
        line = said[exchange]
        at = datetime.fromisoformat(line["at"].replace("Z", "+00:00"))
        equal(row["at"], round(at.timestamp() * 1000))
        for name, value in row.items():
            if name in ("at", "first_token_us", "duration_us"):
                continue
            if name in ("losses", "failed"):
                equal(json.loads(value or "[]"), line[name])
            elif name in (line["usage"] or {}):
                equal(value, line["usage"][name])
            elif name in line:
                equal((name, value), (name, line[name]))
            else:
                equal((name, value, line["usage"]), (name, None, None))


@check
def an_analyst_can_reckon_with_it():
    types, rows = table()
    assert any(row["outcome"] == "delivered" for row in rows.values())
    assert any(row["outcome"] == "failed" and row["fault"] for row in rows.values()), rows
    assert any(row["cost_pico_usd"] is None for row in rows.values()), "what is not known is no 0"
    assert any(row["losses"] for row in rows.values()), "an answer of another dialect tells of losses"


@check
def a_filter_and_a_limit_hold_there_too():
    table()
    file = os.path.join(tempfile.mkdtemp(), "one.parquet")
    with open(file, "wb") as out:
        out.write(export("--format", "parquet", "--outcome", "delivered", "--limit", "1"))
    equal(duckdb.sql(f"SELECT count(*), min(outcome) FROM read_parquet('{file}')").fetchall(), [(1, "delivered")])
    with open(file, "wb") as out:
        out.write(export("--format", "parquet", "--model", "nobody asked for this"))
    equal(duckdb.sql(f"SELECT count(*) FROM read_parquet('{file}')").fetchall(), [(0,)])


main()
