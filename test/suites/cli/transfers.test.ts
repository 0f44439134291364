// The commands about transfers that run: ps, watch, cancel.
import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { startCliOnTerminal } from "../../support/cli/run-cli.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";

const ids = [
  "3f9a5c21-0000-4000-8000-000000000001",
  "3f9a77aa-0000-4000-8000-000000000002",
  "b0000000-0000-4000-8000-000000000003",
] as const;

/** A daemon with transfers, of which the last has ended. */
async function prepare(t: TestContext, count = 3) {
  const transfers = ids.slice(3 - count).map(
    (operationId, at) =>
      new FakeTransfer({
        ...{ operationId, namespace: `llama-${at}`, bytesDone: 5_000_000, bytesTotal: 20_000_000 },
        ...(operationId === ids[2] && {
          status: "SUCCESS" as const,
          phase: "DONE" as const,
          completedAt: new Date(1_700_000_002_123),
          outcome: { kind: "LOAD", status: "SUCCESS" } as const,
        }),
      }),
  );
  const operations = fakeOperations({
    listTransfers: ({ includeFinished }) => ({
      items: transfers
        .map(({ state }) => state)
        .filter(({ status }) => includeFinished || status === "IN_PROGRESS"),
      nextPageToken: "",
    }),
    getTransfer: (id) => known(id),
    cancelTransfer: (id) => known(id).cancel(),
  });
  const known = (id: string) => {
    const found = transfers.find(({ state }) => state.operationId === id);
    if (!found) throw new CacheError("TRANSFER_NOT_FOUND", `there is no transfer ${id}`);
    return found;
  };
  const { address } = await serve(t, operations);
  const run = (...args: string[]) => callCli([...args, "--address", address]);
  return { address, run, transfers };
}

it("ps lists what runs, and with --all what has ended", async (t) => {
  const { run } = await prepare(t);
  const running = await run("ps");
  assert.match(running.stdout, /^OPERATION ID +KIND +STATUS +CACHE +BYTES +TIME$/m);
  assert.match(
    running.stdout,
    new RegExp(`^${ids[0]} +load +unpacking +llama-0/0123456789ab +20\\.0 MB 25% `, "m"),
  );
  assert.doesNotMatch(running.stdout, new RegExp(ids[2]));
  const all = JSON.parse((await run("ps", "--all", "--json")).stdout);
  assert.deepEqual(
    all.transfers.map((transfer: { operation_id: string }) => transfer.operation_id),
    [...ids],
  );
});

it("ps fits a terminal of 80 columns", async (t) => {
  const { address } = await prepare(t);
  const { ended } = startCliOnTerminal(["ps", "--all", "--address", address]);
  const { stdout } = await ended;
  const lines = stdout.trimEnd().split(/\r?\n/);
  assert.equal(lines.length, 4, stdout);
  for (const line of lines) assert.ok(line.length <= 80, line);
  assert.match(lines[1] ?? "", /^3f9a5c21-000 /);
});

it("says that nothing runs", async (t) => {
  const { run } = await prepare(t, 1);
  assert.match((await run("ps")).stdout, /^no transfers run; .*compilecache ps --all$/m);
  assert.match((await run("cancel", "--all")).stdout, /^no transfers run$/m);
  const watched = await run("watch");
  assert.equal(watched.exitCode, 2);
  assert.match(watched.stderr, /no transfers run; .*compilecache ps --all/);
});

it("cancel stops the transfer whose id begins so, and no other", async (t) => {
  const { run, transfers } = await prepare(t);
  const unclear = await run("cancel", "3f9a");
  assert.equal(unclear.exitCode, 2);
  assert.match(unclear.stderr, /2 operation ids begin with 3f9a/);
  const { exitCode, stdout } = await run("cancel", "3f9a5");
  assert.equal(exitCode, 0, stdout);
  assert.match(stdout, /^load llama-0\/0123456789ab: cancelled/);
  assert.deepEqual(
    transfers.map(({ state }) => state.status),
    ["CANCELLED", "IN_PROGRESS", "SUCCESS"],
  );
  assert.equal((await run("cancel", "absent")).exitCode, 3);
});

it("cancel --all stops all that run; without a word of which, none", async (t) => {
  const { run, transfers } = await prepare(t);
  for (const wrong of [["cancel"], ["cancel", "3f9a5", "--all"]]) {
    const { exitCode, stderr } = await run(...wrong);
    assert.equal(exitCode, 2);
    assert.match(stderr, /operation id, which compilecache ps lists, or --all/);
  }
  assert.equal(transfers[0]?.state.status, "IN_PROGRESS");
  const { transfers: stopped } = JSON.parse((await run("cancel", "--all", "--json")).stdout);
  assert.equal(stopped.length, 2);
  assert.equal(transfers[1]?.state.status, "CANCELLED");
});

it("watch follows the only one that runs, and asks which where there are two", async (t) => {
  const { run, transfers } = await prepare(t);
  const unclear = await run("watch");
  assert.equal(unclear.exitCode, 2);
  assert.match(unclear.stderr, /2 transfers run: .*compilecache ps lists/);
  await transfers[1]?.cancel();
  const watching = run("watch", "--json");
  while (transfers[0]?.watchers === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const outcome = { kind: "LOAD", status: "SUCCESS" } as const;
  transfers[0]?.change({ status: "SUCCESS", phase: "DONE", completedAt: new Date(), outcome });
  const { exitCode, stdout } = await watching;
  assert.equal(exitCode, 0, stdout);
  assert.equal(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "").operation_id, ids[0]);
});
