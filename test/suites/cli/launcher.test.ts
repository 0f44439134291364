import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { launcher } from "../../../fixtures/daemon-process.ts";
import { runCli, startProgram } from "../../support/cli/run-cli.ts";

/** Runs the launcher with `code` run before it, in the same process. */
function runAfter(code: string, args: readonly string[], env: Record<string, string> = {}) {
  const before = `data:text/javascript,${encodeURIComponent(code)}`;
  return startProgram(process.execPath, ["--import", before, launcher, ...args], env).ended;
}

describe("the launcher", () => {
  it("says that an older Node will not do, and what brings another", async () => {
    const older = `Object.defineProperties(process, {
      version: { value: "v20.1.0" },
      versions: { value: { ...process.versions, node: "20.1.0" } },
    });`;
    const { exitCode, stdout, stderr } = await runAfter(older, ["ls"]);
    assert.equal(exitCode, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^compilecache needs Node 24 or newer, and this is v20\.1\.0 \(.*\)\.\npip install "compilecache\[server\]" brings .*\n$/,
    );
  });

  it("makes the thread pool larger, unless it is set larger", async () => {
    const report = `process.on("exit", () => console.log(process.env.UV_THREADPOOL_SIZE));`;
    const unset = await runAfter(report, ["--version"]);
    assert.match(unset.stdout, /^16$/m);
    for (const [set, found] of Object.entries({ 64: "64", 5: "16", many: "16" })) {
      const { stdout } = await runAfter(report, ["--version"], { UV_THREADPOOL_SIZE: set });
      assert.match(stdout, new RegExp(`^${found}$`, "m"));
    }
  });

  it("starts the daemon anew with few malloc arenas, unless their number is set", async () => {
    const report = `process.on("exit", () => console.log(process.env.MALLOC_ARENA_MAX));`;
    const unset = await runAfter(report, ["serve", "--help"]);
    assert.equal(unset.exitCode, 0);
    assert.match(unset.stdout, /^Usage: compilecache serve/);
    assert.match(unset.stdout, /^2$/m);
    const set = await runAfter(report, ["serve", "--help"], { MALLOC_ARENA_MAX: "7" });
    assert.match(set.stdout, /^7$/m);
    const other = await runAfter(report, ["--version"]);
    assert.match(other.stdout, /^undefined$/m);
  });

  it("says its version", async () => {
    const { exitCode, stdout } = await runCli(["--version"]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it("says which topics there are where help is asked about another", async () => {
    const { exitCode, stderr } = await runCli(["help", "nothing"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /"nothing"; the topics are environment, store, keys/);
  });
});
