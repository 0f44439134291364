import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { it } from "node:test";
import { makeCache } from "../../scripts/make-cache.ts";
import { createTestPlace, environment, type TestDaemon } from "../concurrency/daemons.ts";
import { startObjectServer, variablesFor } from "./object-server.ts";
import { leavesOut } from "./tools.ts";

const realCache = resolve(import.meta.dirname, "../../../shared/data/inductor-cache-h200.tar.xz");
const rounds = 7;
const mebibyte = 1024 * 1024;

it("an object store on this machine takes at most 1.5 times what the file store takes", {
  skip: leavesOut("versitygw") ?? false,
}, async (t) => {
  const place = await createTestPlace(t);
  const server = await startObjectServer(t, "versitygw");
  const source = join(place.allowed, "source");
  if (existsSync(realCache)) execFileSync("tar", ["-xJf", realCache, `--one-top-level=${source}`]);
  else makeCache(source);
  const daemons = {
    file: await place.startDaemon(),
    s3: await place.startDaemon(variablesFor(server, "speed")),
  };
  const best = { file: { save: Infinity, load: Infinity }, s3: { save: Infinity, load: Infinity } };
  const timed = async (
    store: "file" | "s3",
    what: "save" | "load",
    call: () => Promise<unknown>,
  ) => {
    const startedAt = performance.now();
    await call();
    best[store][what] = Math.min(best[store][what], performance.now() - startedAt);
  };
  for (let round = 0; round < rounds; round++)
    for (const store of ["file", "s3"] as const) {
      const { client } = daemons[store];
      const localDir = join(place.allowed, "loaded");
      await timed(store, "save", () =>
        client.save({ environment, localDir: source, ifStoredExists: "replace" }),
      );
      await timed(store, "load", () => client.load({ environment, localDir }));
      rmSync(localDir, { recursive: true });
    }
  const peaks = { file: peakRssBytesOf(daemons.file), s3: peakRssBytesOf(daemons.s3) };
  t.diagnostic(
    JSON.stringify({ bestMs: best, peakRssMiB: peaks }, (_, value) =>
      typeof value === "number" ? Math.round(value > mebibyte ? value / mebibyte : value) : value,
    ),
  );
  assert.ok(best.s3.save < 1.5 * best.file.save, JSON.stringify(best));
  assert.ok(best.s3.load < 1.5 * best.file.load, JSON.stringify(best));
  // The SDK, the parts on their way and what is read ahead.
  assert.ok(peaks.s3 < peaks.file + 128 * mebibyte, JSON.stringify(peaks));
});

function peakRssBytesOf({ child }: TestDaemon): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
