// What every suite needs: where the gateway is, one line for each check, and swaps.
//
// `cargo xtask clients` starts the gateway and the provider behind it, and says in the environment variable SHIM_SUITE
// where they are; `python/suite.py` says what it holds.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

export const SUITE = JSON.parse(process.env.SHIM_SUITE);

export const { url: URL, key: KEY, wants_keys: WANTS_KEYS } = SUITE;

export const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};

const checks = [];

/** Provider and alias of a dialect; undefined where the gateway has no upstream that speaks it. */
export const place = (dialect) => SUITE.places[dialect];

/** Adds a check where `condition` holds. */
export function given(condition, name, run) {
  if (condition) checks.push([name, run]);
}

/** Adds a check. */
export const check = (name, run) => given(true, name, run);

/** The error of `kind` that `run` must reject with. */
export async function rejects(kind, run) {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof kind, `${error?.constructor?.name}: ${error}`);
    return error;
  }
  throw new Error(`no ${kind.name} was thrown`);
}

/** Everything an iterator gives. */
export async function all(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

/** Checks the headers by which an exact answer says where it came from; gives the generation. */
export function marks(headers, target) {
  const header = (name) => (headers.get ? headers.get(name) : headers[name]);
  assert.ok(header("x-shim-exchange"), "no x-shim-exchange");
  assert.equal(header("x-shim-target"), target);
  assert.equal(header("x-shim-fidelity"), "exact");
  return Number(header("x-shim-generation"));
}

/** Checks that a message has `part` in it. */
export function says(message, part) {
  assert.ok(message.includes(part), `${JSON.stringify(message)} does not say ${JSON.stringify(part)}`);
}

function swap(alias, ...how) {
  const args = ["swap", alias, ...how, "--operators", SUITE.operators];
  const done = spawnSync(SUITE.shim, args, { encoding: "utf8", timeout: 60_000 });
  assert.equal(done.status, 0, `${args.join(" ")}: ${done.stdout}${done.stderr}`);
}

/** Swaps the model under an alias between two calls of one client, and back. `ask` gives [text, generation]. */
export async function swapped({ alias, provider }, ask) {
  swap(alias, "--to", `${provider}/plain`, "--now");
  const first = await ask();
  swap(alias, "--to", `${provider}/other`, "--now");
  const second = await ask();
  swap(alias, "--back");
  const third = await ask();
  assert.deepEqual([first[0], second[0], third[0]], ["Blue.", "Red.", "Blue."]);
  assert.ok(first[1] < second[1] && second[1] < third[1], `generations ${first[1]}, ${second[1]}, ${third[1]}`);
  // The next suite finds neither of the two in force.
  swap(alias, "--to", `${provider}/plain_stream`, "--now");
}

/** Runs the checks in the order they were written. */
export async function main() {
  for (const [name, run] of checks) {
    try {
      await run();
      console.log(`ok    ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAIL  ${name}\n${error?.stack ?? error}`);
    }
  }
}
