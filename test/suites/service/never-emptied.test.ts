import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createCacheClient } from "compilecache-client";
import { callCli } from "../../support/cli/call-cli.ts";
import { startCliOnTerminal } from "../../support/cli/run-cli.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { listTree, makeTree } from "../../support/trees/trees.ts";

/** A daemon whose user's home is allowed, with a saved cache. */
async function prepare(t: TestContext) {
  const home = process.env.HOME;
  t.after(() => {
    process.env.HOME = home;
  });
  const daemon = await startTestDaemon(t);
  const jo = join(daemon.dir, "other", "jo");
  makeTree(jo, { "thesis.txt": "years of work", ".cache/vllm/x": "kernel" });
  process.env.HOME = jo;
  writeFiles(daemon.localDir, 2);
  const client = createCacheClient({ address: daemon.address });
  t.after(() => client.close());
  await client.save({ environment, localDir: daemon.localDir });
  return { ...daemon, client, jo };
}

const refused = {
  reason: "PATH_NOT_ALLOWED",
  message: /is never emptied.*: it is, or holds, the home directory .*Name the directory/,
};

describe("a directory that is no cache", () => {
  it("is emptied by no clear and no load that replaces, whatever is allowed", async (t) => {
    const { client, dir, jo } = await prepare(t);
    const before = listTree(jo);
    const replacing = { environment, ifLocalExists: "replace" } as const;
    for (const localDir of [jo, `${jo}/.cache/..`, join(dir, "other")]) {
      await assert.rejects(client.clearLocalCache({ localDir }), refused);
      await assert.rejects(client.load({ ...replacing, localDir }), refused);
    }
    makeTree(jo, { ".compilecache-not-loaded": "" });
    const missing = { ...environment, torchVersion: "9.9.9" };
    await assert.rejects(client.load({ environment: missing, localDir: jo }), refused);
    assert.deepEqual(
      listTree(jo).filter((line) => !line.includes("compilecache-not-loaded")),
      before,
    );
  });

  it("does not keep a cache below it from being replaced and cleared", async (t) => {
    const { client, jo } = await prepare(t);
    const localDir = join(jo, ".cache/vllm");
    const loaded = await client.load({ environment, localDir, ifLocalExists: "replace" });
    assert.equal(loaded.status, "success");
    assert.equal((await client.clearLocalCache({ localDir })).fileCount, 2);
  });
});

describe("compilecache clear", () => {
  it("asks on a terminal first, and clears only then", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    writeFiles(localDir, 2);
    const clear = ["clear", "--dir", localDir, "--address", address];
    for (const answer of ["n\n", "\n"]) {
      const declined = startCliOnTerminal(clear);
      await declined.shown(/Remove all files in .*\? \[y\/N\]/);
      declined.child.stdin.write(answer);
      const { exitCode, stdout } = await declined.ended;
      assert.match(stdout, /nothing was removed/);
      assert.equal(exitCode, 1);
    }
    const agreed = startCliOnTerminal(clear);
    await agreed.shown(/\[y\/N\]/);
    agreed.child.stdin.write("y\n");
    assert.match((await agreed.ended).stdout, /removed 2 files/);
  });

  it("asks nothing with --yes, nor where no one could answer", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    const clear = ["clear", "--dir", localDir, "--address", address];
    writeFiles(localDir, 2);
    assert.match((await startCliOnTerminal([...clear, "--yes"]).ended).stdout, /removed 2 files/);
    writeFiles(localDir, 2);
    assert.match((await callCli(clear)).stdout, /^removed 2 files/);
  });

  it("--yes skips the question, not the guard", async (t) => {
    const { address, jo } = await prepare(t);
    const { exitCode, stderr } = await callCli([
      "clear",
      "--dir",
      jo,
      "--yes",
      "--address",
      address,
    ]);
    assert.match(stderr, /is never emptied/);
    assert.notEqual(exitCode, 0);
    assert.match(listTree(jo).join("\n"), /thesis\.txt/);
  });
});
