import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import { ends, eventually } from "../../../test/support/eventually.ts";
import { rawEntry, tarEnd } from "../../../test/support/tar/raw-tar.ts";
import { makeTree } from "../../../test/support/trees/trees.ts";
import { watchThreads } from "../../../test/support/watch-threads.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { OpenedDirectory } from "../local/open-directory.ts";
import { pathOfHandle } from "../local/tree/pinned-directory.ts";
import { createPooledWork } from "./pooled-work.ts";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";

const uncancelled = new AbortController().signal;
const limits = { maxContentBytes: 1 << 30, maxFileCount: 1000 };

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function poolOf(t: TestContext, threads: number): WorkerPool {
  const pool = createWorkerPool({ threads, nice: 0 });
  t.after(() => pool.close());
  return pool;
}

function allowedPath(path: string) {
  return { root: path, below: [], path, clientPath: path };
}

/** A stage in a fresh directory, by an open descriptor. */
function stageIn(t: TestContext) {
  const dir = scratch(t);
  const fd = openSync(dir, "r");
  t.after(() => closeSync(fd));
  return { dir, stage: { id: dir, path: pathOfHandle(fd), shownAs: dir } };
}

/** Keeps a thread busy until it is told to end. */
function occupy(t: TestContext, pool: WorkerPool, signal = uncancelled) {
  const { port1, port2 } = new MessageChannel();
  const job = { stage: stageIn(t).stage, limits, port: port2 };
  const busy = pool
    .run("unpackForeignStream", job, signal, [port2])
    .catch((error: unknown) => error);
  return { busy, end: () => port1.postMessage({ end: true }) };
}

/** A directory that is open until the test ends. */
function openedDirectory(t: TestContext, dir: string): OpenedDirectory {
  const fd = openSync(dir, "r");
  t.after(() => closeSync(fd));
  return {
    fd,
    name: "",
    path: dir,
    made: false,
    replaceable: false,
    holdsFiles: true,
    notLoaded: false,
  };
}

describe("the worker pool", () => {
  it("leaves descriptors that a thread opened open when the thread ends", async (t) => {
    const pool = createWorkerPool({ threads: 1, nice: 0 });
    const directory = await pool.run(
      "openDirectory",
      { path: allowedPath(scratch(t)), create: false },
      uncancelled,
    );
    assert.ok(directory);
    await pool.close();
    assert.ok(fstatSync(directory.fd).isDirectory());
    closeSync(directory.fd);
  });

  it("closes nothing that took over the number of a descriptor when a thread ends", async (t) => {
    const pool = createWorkerPool({ threads: 1, nice: 0 });
    const directory = await pool.run(
      "openDirectory",
      { path: allowedPath(scratch(t)), create: false },
      uncancelled,
    );
    assert.ok(directory);
    closeSync(directory.fd);
    const opened: number[] = [];
    while (!opened.includes(directory.fd)) opened.push(openSync("/proc/self/status", "r"));
    t.after(() => opened.forEach(closeSync));
    await pool.close();
    for (const fd of opened) assert.ok(fstatSync(fd).isFile());
  });

  it("keeps reason, message and violations of a failure", async (t) => {
    const pool = poolOf(t, 1);
    const nowhere = {
      root: "/",
      below: ["not-there"],
      path: "/not-there",
      clientPath: "/not-there",
    };
    await assert.rejects(pool.run("openSource", nowhere, uncancelled), (error) => {
      assert.ok(error instanceof CacheError);
      assert.equal(error.reason, "INVALID_REQUEST");
      assert.deepEqual(error.violations, [
        { field: "source", description: "/not-there does not exist" },
      ]);
      return true;
    });
  });

  it("gives up a waiting job at once when it is cancelled, and never runs it", async (t) => {
    const pool = poolOf(t, 1);
    const { busy, end } = occupy(t, pool);
    const dir = scratch(t);
    makeTree(dir, { file: "x" });
    const directory = openedDirectory(t, dir);
    const caller = new AbortController();
    const waiting = pool.run("clearDirectory", directory, caller.signal);
    caller.abort(new Error("cancelled"));
    // The only thread is busy until it is told to end.
    await assert.rejects(ends("a job that waits", waiting), /cancelled/);
    end();
    await busy;
    await pool.run("measureDirectory", directory.fd, uncancelled);
    assert.deepEqual(readdirSync(dir), ["file"]);
  });

  it("waits until a running job has stopped when it is cancelled", async (t) => {
    const pool = poolOf(t, 1);
    const dir = scratch(t);
    const directory = openedDirectory(t, dir);
    const files = Object.fromEntries(
      Array.from({ length: 3000 }, (_, n) => [`d${n % 7}/${n}`, ""]),
    );
    const clearAndCancel = async () => {
      makeTree(dir, files);
      const caller = new AbortController();
      const clearing = pool.run("clearDirectory", directory, caller.signal);
      await eventually("the first removal", () => readdirSync(dir).length < 7);
      caller.abort(new Error("cancelled"));
      return clearing.catch((error: Error) => error.message);
    };
    // A job may be over before it is cancelled; then it is given out again.
    let outcome: unknown;
    for (let attempts = 0; attempts < 50 && outcome !== "cancelled"; attempts++)
      outcome = await clearAndCancel();
    assert.equal(outcome, "cancelled");
    const left = readdirSync(dir, { recursive: true }).length;
    // The only thread takes this once it is free.
    await pool.run("measureDirectory", directory.fd, uncancelled);
    assert.equal(readdirSync(dir, { recursive: true }).length, left, "it went on");
  });

  it("does not begin when the signal was aborted before", async (t) => {
    const pool = poolOf(t, 1);
    const signal = AbortSignal.abort(new Error("before"));
    await assert.rejects(pool.run("measureDirectory", 0, signal), /before/);
  });

  it("copies or moves no memory but the job's own", async (t) => {
    const pool = poolOf(t, 1);
    const work = createPooledWork(pool, uncancelled);
    const { stage } = stageIn(t);
    const frame = new Uint8Array(64);
    const fetched = {
      frame,
      section: new Uint8Array(8),
      sha256: "",
      contentBytes: 0,
      superseded: [],
    };
    await assert.rejects(work.unpackFrame({ stage, fetched } as never), {
      reason: "ARCHIVE_CORRUPT",
    });
    assert.equal(frame.length, 0, "the frame moved");
  });
});

describe("threads of a pool that stay", () => {
  function stayingPool(t: TestContext, staying: number) {
    const pool = createWorkerPool({ threads: 2, nice: 0, staying });
    t.after(() => pool.close());
    return pool;
  }

  const aJob = (t: TestContext, pool: WorkerPool) =>
    pool.run("openDirectory", { path: allowedPath(scratch(t)), create: false }, uncancelled);

  it("start when the pool is warmed up, and do the work that comes after a pause", async (t) => {
    const seen = watchThreads(t);
    const pool = stayingPool(t, 1);
    assert.equal(seen.started, 0, "before it is warmed up");
    pool.warmUp();
    await eventually("the thread that stays", () => seen.started === 1);
    for (let jobs = 0; jobs < 2; jobs++) {
      await aJob(t, pool);
      // An idle thread ends after 0.1 s.
      await sleep(300);
    }
    assert.deepEqual(seen, { started: 1, ended: 0 });
  });

  it("are fresh ones after work that took more of them", async (t) => {
    const seen = watchThreads(t);
    const pool = stayingPool(t, 1);
    const busy = [occupy(t, pool), occupy(t, pool)];
    await eventually("both threads", () => seen.started === 2);
    for (const { busy: job, end } of busy) {
      end();
      await job;
    }
    await eventually("fresh threads", () => seen.started === 3 && seen.ended === 2);
    await aJob(t, pool);
    assert.equal(seen.started, 3);
  });

  it("do not come back to a pool that was closed during work", async (t) => {
    const seen = watchThreads(t);
    const pool = stayingPool(t, 1);
    const busy = [occupy(t, pool), occupy(t, pool)];
    await eventually("both threads", () => seen.started === 2);
    await pool.close();
    for (const { busy: job } of busy) await job;
    await sleep(300);
    assert.deepEqual(seen, { started: 2, ended: 2 });
  });

  it("are none unless asked for", async (t) => {
    const seen = watchThreads(t);
    const pool = stayingPool(t, 0);
    pool.warmUp();
    await aJob(t, pool);
    await eventually("the end of the thread", () => seen.ended === 1);
  });
});

describe("a stream of chunks to a thread", () => {
  /** A gzipped tar of one file of noise, in chunks. */
  async function* chunks(gzipped: Buffer, bytes: number, pauseMs = 0) {
    for (let at = 0; at < gzipped.length; at += bytes) {
      if (pauseMs > 0) await sleep(pauseMs);
      yield gzipped.subarray(at, at + bytes);
    }
  }

  const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * n) >> 3));
  const gzipped = gzipSync(Buffer.concat([rawEntry({ name: "file", content }), tarEnd]));

  it("arrives whole, in chunks of any size, fast or slow", async (t) => {
    const work = createPooledWork(poolOf(t, 1), uncancelled);
    for (const [bytes, pauseMs] of [
      [1 << 20, 0],
      [1000, 0],
      [gzipped.length >> 2, 20],
    ] as const) {
      const { stage } = stageIn(t);
      const got = await work.unpackForeignStream(
        { stage, limits },
        chunks(gzipped, bytes, pauseMs),
        () => {},
      );
      assert.deepEqual(got, { fileCount: 1, bytes: content.length });
    }
  });

  it("ends with the error of its source, not with the thread's", async (t) => {
    const work = createPooledWork(poolOf(t, 1), uncancelled);
    const failing = async function* () {
      yield gzipped.subarray(0, 1000);
      throw new CacheError("STORE_UNAVAILABLE", "the store went away");
    };
    const { stage } = stageIn(t);
    await assert.rejects(
      work.unpackForeignStream({ stage, limits }, failing(), () => {}),
      {
        reason: "STORE_UNAVAILABLE",
      },
    );
  });

  it("is not read any further when the thread has failed", async (t) => {
    const work = createPooledWork(poolOf(t, 1), uncancelled);
    let read = 0;
    const endless = async function* () {
      for (;;) {
        read += 1;
        yield Buffer.alloc(1024, "this is not an archive");
      }
    };
    const { stage } = stageIn(t);
    await assert.rejects(
      work.unpackForeignStream({ stage, limits }, endless(), () => {}),
      {
        reason: "ARCHIVE_CORRUPT",
      },
    );
    assert.ok(read < 10, `${read} chunks`);
  });
});
