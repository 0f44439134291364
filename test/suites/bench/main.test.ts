import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Report } from "../../../bench/report/report.ts";
import { makeCache } from "../../../fixtures/make-cache.ts";

const program = fileURLToPath(import.meta.resolve("../../../bench/run.ts"));

describe("npm run bench", () => {
  it("measures a small cache and writes its results", async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "bench-test-"));
    t.after(() => rmSync(dir, { recursive: true }));
    const [cache, out] = [join(dir, "cache"), join(dir, "out")];
    const made = makeCache(cache, { scale: 0.01 });

    const flags = ["--cache", cache, "--rounds", "1", "--no-peer", "--out", out];
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...flags]);

    const report: Report = JSON.parse(readFileSync(join(out, "main.json"), "utf8"));
    assert.equal(report.suite, "main");
    assert.equal(report.rounds, 1);
    assert.match(report.subject, new RegExp(`^cache, ${made.fileCount} files, `));
    assert.equal(report.machine.node, process.version);
    const valuesOf = (name: string) => report.series.find((series) => series.name === name)?.values;
    for (const name of ["cp -r", "save: compilecache", "load: compilecache", "load: tar, gzip"]) {
      const { wallS = [], cpuS = [] } = valuesOf(name) ?? {};
      assert.ok(wallS.length === 1 && (wallS[0] as number) > 0, `${name}: ${wallS}`);
      assert.ok(cpuS.length === 1 && (cpuS[0] as number) >= 0, `${name}: ${cpuS}`);
    }
    const { peakRssMiB = [], archiveMB = [] } = valuesOf("save: compilecache") ?? {};
    assert.ok((peakRssMiB[0] as number) > 10);
    assert.ok((archiveMB[0] as number) * 1e6 < made.bytes);
    assert.deepEqual(
      report.targets.map(({ measured }) => measured === null),
      [true, false, true, true, false],
      "what needs the peer is not measured",
    );
    assert.match(stdout, /^\| load: compilecache \| \d/m);
    assert.deepEqual(readdirSync(out).sort(), ["main.json", "main.md", "main.svg"]);
  });
});
