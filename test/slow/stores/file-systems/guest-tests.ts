import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { bootGuest, createGuestPlace, type GuestPlace } from "../../../support/guest/guest.ts";
import type { GuestResult } from "./guest/report.ts";

const folder = "test/slow/stores/file-systems/guest";
const timeoutMs = 30 * 60_000;

interface Outcome extends GuestResult {
  readonly inside: readonly Outcome[];
}

/** Runs test files of `guest/` in a guest, and shows each test there as a test of `t`. */
export async function runInGuest(
  t: TestContext,
  files: readonly string[],
  givenPlace?: GuestPlace,
): Promise<void> {
  const place = givenPlace ?? (await createGuestPlace(t));
  const command = [
    ...["node", "--test", "--test-concurrency=1"],
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    `--test-reporter=./${folder}/report.ts`,
    '--test-reporter-destination="$OUT/results.jsonl"',
    ...files.map((file) => `${folder}/${file}`),
  ];
  const guest = await bootGuest(t, place, command.join(" "), timeoutMs);
  const status = await guest.ended;
  const results = join(place.dir, "results.jsonl");
  const outcomes = existsSync(results) ? nest(readFileSync(results, "utf8")) : [];
  await show(t, outcomes);
  assert.ok(status === 0 && outcomes.length > 0, `status ${status}:\n${guest.console()}`);
}

/** The tests of the top level, each with those inside it, which were reported before it. */
function nest(lines: string): Outcome[] {
  const levels: Outcome[][] = [];
  for (const line of lines.trim().split("\n")) {
    const result = JSON.parse(line) as GuestResult;
    const inside = levels[result.nesting + 1] ?? [];
    levels.length = result.nesting + 1;
    levels[result.nesting] = [...(levels[result.nesting] ?? []), { ...result, inside }];
  }
  return levels[0] ?? [];
}

async function show(t: TestContext, outcomes: readonly Outcome[]): Promise<void> {
  for (const { name, skip, failure, milliseconds, inside } of outcomes)
    await t.test(`${name} (${Math.round(milliseconds)} ms there)`, async (t) => {
      assert.equal(skip, false, "left out there");
      await show(t, inside);
      const isShownInside = inside.some(({ failure }) => failure !== undefined);
      if (failure !== undefined && !isShownInside) assert.fail(failure);
    });
}
