import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { CacheError, type Reason } from "../domain/cache-error.ts";
import type { LogFields, Logger } from "../domain/logger.ts";
import { createDirectoryQueue } from "./directory-queue.ts";
import { createTransferRegistry, type TransferStart } from "./registry.ts";
import type { Flow } from "./state.ts";

interface Line {
  readonly message: string;
  readonly fields: LogFields;
}

function recordingLogger(lines: Line[], outer: LogFields = {}): Logger {
  const write = (message: string, fields?: LogFields) => {
    lines.push({ message, fields: { ...outer, ...fields } });
  };
  const child = (fields: LogFields) => recordingLogger(lines, { ...outer, ...fields });
  return { debug: write, info: write, warn: write, error: write, child };
}

/** A registry, and loads in it that run until the test lets them go. */
function startRegistry() {
  const lines: Line[] = [];
  const registry = createTransferRegistry({
    logger: recordingLogger(lines),
    directoryQueue: createDirectoryQueue(),
  });
  const open: (() => void)[] = [];
  const flow = async function* (signal: AbortSignal): Flow {
    yield { phase: "UNPACKING" };
    await new Promise<void>((resolve, reject) => {
      open.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    return { kind: "LOAD", status: "SUCCESS" };
  };
  const load = (directory: string, what: Partial<TransferStart> = {}) =>
    registry.start({
      kind: "LOAD",
      operationName: `load ${directory}`,
      namespace: "default",
      cacheKey: "0123456789ab",
      targetKey: directory,
      directories: [directory],
      flow,
      ...what,
    });
  const letGo = () => {
    for (const end of open.splice(0)) end();
  };
  return { registry, lines, load, letGo };
}

const isReason = (reason: Reason) => (error: unknown) =>
  error instanceof CacheError && error.reason === reason;
const quickFlow: TransferStart["flow"] = () =>
  // biome-ignore lint/correctness/useYield: it has nothing to report
  (async function* (): Flow {
    return undefined;
  })();

describe("TransferRegistry.start", () => {
  it("joins the transfer that runs for the same target", async () => {
    const { load, letGo } = startRegistry();
    const transfers = Array.from({ length: 16 }, () => load("/a"));
    assert.equal(new Set(transfers.map(({ state }) => state.operationId)).size, 1);
    await settle();
    assert.equal(load("/a"), transfers[0]);
    letGo();
    assert.equal((await load("/a").wait()).status, "SUCCESS");
  });

  it("starts anew once the transfer of a target has ended", async () => {
    const { load, letGo } = startRegistry();
    const first = load("/a");
    await settle();
    letGo();
    const { operationId } = await first.wait();
    assert.notEqual(load("/a").state.operationId, operationId);
  });

  it("joins no transfer of another target, nor one without a target", async () => {
    const { load, registry } = startRegistry();
    const options = { targetKey: "other" };
    const all = [load("/a"), load("/a", options), load("/b")];
    const copy: TransferStart = {
      kind: "COPY",
      operationName: "copy",
      namespace: "",
      cacheKey: "",
      directories: ["/c"],
      flow: quickFlow,
    };
    all.push(registry.start(copy), registry.start(copy));
    assert.equal(new Set(all).size, 5);
  });

  it("makes work on an overlapping directory wait its turn", async () => {
    const { load, letGo } = startRegistry();
    const parent = load("/a");
    const child = load("/a/b");
    await settle();
    assert.equal(parent.state.status, "IN_PROGRESS");
    assert.equal(child.state.status, "NOT_STARTED");
    assert.equal(child.state.phase, "WAITING");
    letGo();
    await parent.wait();
    await settle();
    assert.equal(child.state.status, "IN_PROGRESS");
  });

  it("joins no transfer that is being stopped: a new one waits its turn", async () => {
    const { load } = startRegistry();
    let tidied = () => {};
    const slow = load("/a", {
      flow: async function* (signal): Flow {
        try {
          yield { phase: "UNPACKING" };
          await new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          });
          return undefined;
        } finally {
          await new Promise<void>((resolve) => (tidied = resolve));
        }
      },
    });
    await settle();
    const cancelling = slow.cancel();
    const next = load("/a");
    assert.notEqual(next, slow);
    assert.equal(load("/a"), next);
    await settle();
    assert.equal(next.state.status, "NOT_STARTED");
    tidied();
    assert.equal((await cancelling).status, "CANCELLED");
    await settle();
    assert.equal(next.state.status, "IN_PROGRESS");
    assert.equal(load("/a"), next);
  });

  it("lets a waiting transfer be cancelled", async () => {
    const { load } = startRegistry();
    const first = load("/a");
    const waiting = load("/a/b");
    await settle();
    assert.equal((await waiting.cancel()).status, "CANCELLED");
    assert.equal(first.state.status, "IN_PROGRESS");
  });

  it("ends a transfer whose flow cannot even be made", async () => {
    const { load } = startRegistry();
    const broken = load("/a", {
      flow: () => {
        throw new TypeError("a bug");
      },
    });
    const state = await broken.wait();
    assert.equal(state.status, "ERROR");
    assert.ok(isReason("INTERNAL")(state.error));
  });

  it("logs the start and the end, with the operation id", async () => {
    const { load, lines } = startRegistry();
    const { operationId } = await load("/a", { flow: quickFlow }).wait();
    assert.equal(lines.length, 2);
    for (const { fields } of lines) assert.equal(fields.operation_id, operationId);
  });
});

describe("TransferRegistry.get", () => {
  it("finds running and finished transfers, and no others", async () => {
    const { registry, load, letGo } = startRegistry();
    const transfer = load("/a");
    const { operationId } = transfer.state;
    assert.equal(registry.get(operationId), transfer);
    await settle();
    letGo();
    await transfer.wait();
    assert.equal(registry.get(operationId), transfer);
    assert.throws(() => registry.get("no-such-id"), isReason("TRANSFER_NOT_FOUND"));
  });

  it("forgets a finished transfer after a day", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: 1_000 });
    const { registry, load } = startRegistry();
    const { operationId } = await load("/a", { flow: quickFlow }).wait();
    const running = load("/b").state.operationId;
    t.mock.timers.tick(24 * 3_600_000);
    registry.get(operationId);
    t.mock.timers.tick(1);
    assert.throws(() => registry.get(operationId), isReason("TRANSFER_NOT_FOUND"));
    registry.get(running);
    assert.equal(list(registry, true).length, 1);
  });

  it("remembers the last 1,000 finished transfers, and all that run", async () => {
    const { registry, load } = startRegistry();
    const running = load("/running").state.operationId;
    const ids: string[] = [];
    for (let n = 0; n < 1_005; n++)
      ids.push((await load(`/${n}`, { flow: quickFlow }).wait()).operationId);
    assert.equal(list(registry, true).length, 1_001);
    for (const id of ids.slice(0, 5))
      assert.throws(() => registry.get(id), isReason("TRANSFER_NOT_FOUND"));
    for (const id of [running, ...ids.slice(5)]) registry.get(id);
  });
});

/** Names of all listed transfers, page by page. */
function list(registry: ReturnType<typeof startRegistry>["registry"], includeFinished: boolean) {
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = registry.list({ includeFinished, pageSize: 300, pageToken });
    names.push(...page.items.map(({ operationName }) => operationName));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return names;
}

describe("TransferRegistry.list", () => {
  it("lists what runs or waits, and on request what has ended, newest first", async () => {
    const { registry, load } = startRegistry();
    load("/a");
    await load("/b", { flow: quickFlow }).wait();
    load("/a/c");
    await settle();
    assert.deepEqual(list(registry, false), ["load /a/c", "load /a"]);
    assert.deepEqual(list(registry, true), ["load /a/c", "load /b", "load /a"]);
  });

  it("goes on where a page ended, whatever came or went meanwhile", async () => {
    const { registry, load } = startRegistry();
    for (const name of ["/a", "/b", "/c", "/d"]) load(name);
    const page = registry.list({ includeFinished: false, pageSize: 2, pageToken: "" });
    load("/e");
    await registry.get(page.items[1]?.operationId ?? "").cancel();
    const rest = { includeFinished: false, pageSize: 2, pageToken: page.nextPageToken };
    assert.deepEqual(
      registry.list(rest).items.map(({ operationName }) => operationName),
      ["load /b", "load /a"],
    );
  });
});

describe("TransferRegistry.close", () => {
  it("takes no new work, and waits for what ends within the grace period", async () => {
    const { registry, load, letGo } = startRegistry();
    const running = load("/a");
    await settle();
    const closing = registry.close(60_000);
    assert.throws(() => load("/a"), isReason("SHUTTING_DOWN"));
    assert.throws(() => load("/b"), isReason("SHUTTING_DOWN"));
    letGo();
    await closing;
    assert.equal(running.state.status, "SUCCESS");
  });

  it("then cancels what runs and what waits", async (t) => {
    const { registry, load } = startRegistry();
    const transfers = [load("/a"), load("/a/b")];
    await settle();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const closing = registry.close(50);
    t.mock.timers.tick(49);
    await settle();
    assert.equal(transfers[0]?.state.status, "IN_PROGRESS");
    t.mock.timers.tick(1);
    await closing;
    for (const { state } of transfers) assert.equal(state.status, "CANCELLED");
  });

  it("does not wait for ever for a transfer that hangs", async (t) => {
    const { registry, load, lines } = startRegistry();
    const dead = load("/dead", {
      flow: async function* (): Flow {
        yield { phase: "UNPACKING" };
        return await new Promise<never>(() => {});
      },
    });
    const waiting = load("/dead/below");
    await settle();
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const closing = registry.close(1_000);
    t.mock.timers.tick(1_000);
    await settle();
    t.mock.timers.tick(3_000);
    await closing;
    assert.equal(dead.state.status, "IN_PROGRESS");
    assert.equal(waiting.state.status, "CANCELLED");
    assert.deepEqual(
      lines.filter(({ message }) => message.endsWith("does not stop")).map(({ fields }) => fields),
      [{ operation_id: dead.state.operationId }],
    );
  });
});

describe("very many transfers", () => {
  it("are refused as OVERLOADED until some have ended, and joined all the same", async () => {
    const { load, letGo } = startRegistry();
    for (let n = 0; n < 1_000; n++) load(`/one/${n}`);
    assert.throws(() => load("/one/more"), isReason("OVERLOADED"));
    load("/one/7");
    await settle();
    letGo();
    await settle();
    load("/one/more");
  });
});
