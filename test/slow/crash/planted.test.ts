import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CacheClient, createCacheClient } from "compilecache-client";
import { type DaemonProcess, startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { cacheKey, environment, namespace, scratchDir } from "../../support/flow-bench.ts";
import { plantedArchives } from "../../support/tar/planted-archives.ts";
import { writeVersion } from "../../support/trees/versions.ts";

/** What the main thread may compute at a stretch, and the daemon hold; see docs/performance.md. */
const longestStretchMs = 100;
const mostBytes = 1024 * 1024 * 1024;

describe("a daemon whose store holds planted archives", () => {
  const ends: (() => unknown)[] = [];
  let daemon: DaemonProcess;
  let client: CacheClient;
  let dir: string;
  let [longestMs, peakBytes] = [0, 0];

  before(async () => {
    dir = scratchDir({ after: (end) => ends.push(end) });
    mkdirSync(join(dir, "store", namespace), { recursive: true });
    mkdirSync(join(dir, "local"));
    const address = `unix:${dir}/socket`;
    daemon = startDaemonProcess({
      flags: ["--listen", address],
      nodeFlags: ["--import", import.meta.resolve("../../support/daemon/loop-probe.ts")],
      hasChannel: true,
      environment: {
        COMPILE_CACHE_STORE: `file://${dir}/store`,
        TORCH_CACHE_DIR: join(dir, "local"),
        COMPILE_CACHE_ALLOWED_DIRS: dir,
        COMPILE_CACHE_WORKERS: "2",
        MAX_FILE_COUNT: "100000",
        MALLOC_ARENA_MAX: "2",
      },
    });
    ends.push(() => daemon.end("SIGKILL"));
    await daemon.line("listening");
    client = createCacheClient({ address });
    ends.push(() => client.close());
    writeVersion(join(dir, "source"), 1);
    await client.save({ environment, namespace: "sound", localDir: join(dir, "source") });
    await stretch();
  });

  after(async () => {
    for (const end of ends.reverse()) await end();
    console.log(
      `longest stretch ${longestMs.toFixed(0)} ms, peak ${(peakBytes / 2 ** 20) | 0} MiB`,
    );
  });

  async function stretch(): Promise<number> {
    daemon.child.send("longest stretch");
    const [answer] = (await once(daemon.child, "message")) as [{ longestMs: number }];
    return answer.longestMs;
  }

  function peak(): number {
    const status = readFileSync(`/proc/${daemon.child.pid}/status`, "utf8");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  for (const { what, make } of plantedArchives)
    it(`lists, loads and saves beside ${what}`, async () => {
      const path = join(dir, "store", namespace, `cache_${cacheKey}.latest.tar.zst`);
      writeFileSync(path, make());
      writeFileSync(`/proc/${daemon.child.pid}/clear_refs`, "5");
      const localDir = join(dir, "local");
      const request = { environment, namespace, localDir };
      const { caches } = await client.listCaches({ namespace: "" });
      assert.deepEqual(caches.map((cache) => cache.namespace).sort(), [namespace, "sound"]);
      await client.getCacheInfo(request);
      await assert.rejects(client.load(request), /ARCHIVE_|CACHE_TOO_LARGE|the archive|the cache/);
      assert.deepEqual(readdirSync(localDir), []);
      const refresh = { ...request, localDir: join(dir, "source") };
      const refreshing = client.save({ ...refresh, ifStoredExists: "refresh" });
      await refreshing.catch((error: Error) => assert.match(error.message, /archive|cache/));
      await client.getCacheInfo({ ...request, namespace: "sound" });
      const [stretchMs, bytes] = [await stretch(), peak()];
      longestMs = Math.max(longestMs, stretchMs);
      peakBytes = Math.max(peakBytes, bytes);
      console.log(`${what}: ${stretchMs.toFixed(0)} ms, ${(bytes / 2 ** 20) | 0} MiB`);
      for (const name of readdirSync(dirname(path)))
        rmSync(join(dirname(path), name), { recursive: true });
      assert.ok(stretchMs < longestStretchMs, `the main thread computed for ${stretchMs} ms`);
      assert.ok(bytes < mostBytes, `the daemon held ${bytes} bytes`);
    });
});
