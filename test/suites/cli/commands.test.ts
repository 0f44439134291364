import assert from "node:assert/strict";
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { treeDifferences } from "../../../fixtures/compare-trees.ts";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { runCli } from "../../support/cli/run-cli.ts";
import { tempDir } from "../../support/client/service-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";

const environment = ["--torch", "2.11.0", "--cuda", "13.0", "--cc", "9.0", "--label", "py=3.12"];
const key = "torch-2.11.0_cuda-13.0_cc-9.0_triton-none_py-3.12";

/** A daemon, and a small cache in its local directory. */
async function prepare(t: TestContext) {
  const { address, dir, localDir } = await startTestDaemon(t);
  const original = join(dir, "original");
  const made = makeCache(original, { scale: 0.002 });
  makeCache(localDir, { scale: 0.002 });
  const run = (...args: string[]) => callCli([...args, "--address", address]);
  return { run, address, dir, localDir, original, made };
}

describe("compilecache", () => {
  it("saves, lists, clears and loads a cache back, in words", async (t) => {
    const { run, address, localDir, original, made } = await prepare(t);
    const dir = ["--dir", localDir];
    const files = `${made.fileCount} files`;

    const saved = await runCli(["save", ...environment, ...dir, "--address", address]);
    assert.equal(saved.exitCode, 0, saved.stderr);
    assert.match(
      saved.stdout,
      new RegExp(`^saved ${files} .* as default/[0-9a-f]{12}, archive .*`),
    );

    const listed = await run("ls", ...environment);
    assert.match(listed.stdout, /^ +NAMESPACE +CACHE KEY +GENERATION +FILES/);
    const row = `^\\* +default +[0-9a-f]{12} +1 +${made.fileCount} .* ${key}$`;
    assert.match(listed.stdout, new RegExp(row, "m"));

    const cleared = await run("clear", ...dir);
    assert.match(cleared.stdout, new RegExp(`^removed ${files} .* from ${localDir}$`, "m"));

    const loaded = await run("load", ...environment, ...dir);
    assert.equal(loaded.exitCode, 0, loaded.stderr);
    assert.match(loaded.stdout, new RegExp(`^loaded ${files} .* into ${localDir} in `));
    assert.deepEqual(treeDifferences(original, localDir), []);

    const info = await run("info", ...environment, ...dir);
    assert.match(info.stdout, new RegExp(`^environment +${key}$`, "m"));
    assert.match(info.stdout, new RegExp(`^local +${localDir}: ${files}`, "m"));
    assert.match(
      info.stdout,
      /^store +file:.*: cache_[0-9a-f]{12}\.latest\.tar\.zst, generation 1, /m,
    );
  });

  it("says that there is no such directory to save, and which flag or variable is wrong", async (t) => {
    const { run, address, dir } = await prepare(t);
    const missing = join(dir, "other", "missing");
    const saved = await run("save", ...environment, "--dir", missing);
    assert.equal(saved.exitCode, 0, saved.stderr);
    assert.match(saved.stdout, /missing holds no files to save; it does not exist here: --dir /);
    const env = { COMPILE_CACHE_NAMESPACE: "-wrong" };
    const args = ["info", ...environment, "--address", address];
    assert.match((await callCli(args, env)).stderr, /^compilecache: COMPILE_CACHE_NAMESPACE: /);
    const byFlag = await callCli([...args, "--namespace=-wrong"], env);
    assert.match(byFlag.stderr, /^compilecache: --namespace: /);
  });

  it("says what a save left out", async (t) => {
    const { run, localDir } = await prepare(t);
    symlinkSync("/nowhere", join(localDir, "linked"));
    const saved = await run("save", ...environment, "--dir", localDir);
    assert.match(saved.stdout, /; left out 1 file, symbolic links: 1 \(linked\)$/m);
  });

  it("prints one JSON document for programs", async (t) => {
    const { run, localDir, made } = await prepare(t);
    const json = async (...args: string[]) => {
      const { stdout, stderr } = await run(...args, "--json");
      assert.equal(stderr, "");
      return JSON.parse(stdout);
    };
    const target = [...environment, "--dir", localDir];
    const saved = await json("save", ...target);
    assert.equal(saved.status, "success");
    assert.equal(saved.transfer.files_done, made.fileCount);
    const { caches } = await json("ls");
    assert.deepEqual(caches, [{ ...saved.cache, is_current_environment: false }]);
    assert.deepEqual(await json("clear", "--dir", localDir), {
      bytes: made.bytes,
      file_count: made.fileCount,
    });
    assert.equal((await json("load", ...target)).transfer.outcome.status, "success");
    const info = await json("info", ...target);
    assert.equal(info.environment_key, key);
    assert.equal(info.local_file_count, made.fileCount);
    const { cache_key: cacheKey } = info;
    assert.deepEqual(await json("rm", cacheKey), {
      namespace: "default",
      cache_key: cacheKey,
    });
    const { error } = await json("rm", cacheKey);
    assert.equal(error.code, "NOT_FOUND");
    assert.equal(error.reason, "CACHE_NOT_FOUND");
  });

  it("ends with 0 for a skip, 3 for a miss, and says why it missed", async (t) => {
    const { run, dir, localDir } = await prepare(t);
    const target = [...environment, "--dir", localDir];
    const elsewhere = ["--dir", join(dir, "other")];
    await run("save", ...target);

    const again = await run("save", ...target);
    assert.equal(again.exitCode, 0);
    assert.match(again.stdout, /^skipped: the store holds default\/[0-9a-f]{12} already/);
    const refresh = [...target, "--if-stored-exists", "refresh"];
    const refreshed = await run("save", ...refresh);
    assert.match(
      refreshed.stdout,
      /^skipped: .* little or nothing that default\/[0-9a-f]{12} lacks$/m,
    );
    const asJson = JSON.parse((await run("save", ...refresh, "--json")).stdout);
    assert.equal(asJson.skip_reason, "too_little_new");
    assert.equal(asJson.transfer.outcome.skip_reason, "too_little_new");
    const held = await run("load", ...target);
    assert.equal(held.exitCode, 0);
    assert.match(held.stdout, /^skipped: .* holds files already/);

    const missed = await run("load", ...environment, "--label", "gpu=h200", ...elsewhere);
    assert.equal(missed.exitCode, 3);
    assert.match(
      missed.stdout,
      /holds no cache .*; the closest is default\/.* differs in\n {2}gpu: here h200, stored none$/m,
    );
    const absent = await run("load", ...environment, "--namespace", "absent", ...elsewhere);
    assert.equal(absent.exitCode, 3);
    assert.match(
      absent.stdout,
      /^the store holds no cache absent\/[0-9a-f]{12}\n.* under another namespace: default \(--namespace\)$/m,
    );
    const alone = ["--torch", "1.0", "--namespace", "absent", ...elsewhere];
    const nowhere = await run("load", ...alone);
    assert.match(nowhere.stdout, /\nthe namespace absent holds no caches; /);
  });

  it("follows the policies that it is given", async (t) => {
    const { run, localDir, original } = await prepare(t);
    const target = [...environment, "--dir", localDir];
    await run("save", ...target);
    rmSync(join(localDir, "triton"), { recursive: true });
    const merged = await run("load", ...target, "--if-local-exists", "merge");
    assert.equal(merged.exitCode, 0, merged.stderr);
    assert.deepEqual(treeDifferences(original, localDir), []);
    const replaced = await run("save", ...target, "--if-stored-exists", "replace");
    assert.match(replaced.stdout, /^saved /);
  });

  it("follows a detached transfer, one JSON line for each state", async (t) => {
    const { run, localDir, made } = await prepare(t);
    const started = await run("save", ...environment, "--dir", localDir, "--detach");
    assert.equal(started.exitCode, 0, started.stderr);
    const id = /^started save (\S+); follow it with: compilecache watch \1$/m.exec(
      started.stdout,
    )?.[1] as string;
    const watched = await run("watch", id, "--json");
    assert.equal(watched.exitCode, 0);
    const states = watched.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.ok(states.every((state) => state.operation_id === id));
    assert.equal(states.at(-1).status, "success");
    assert.equal(states.at(-1).files_done, made.fileCount);
    const inWords = await run("watch", id);
    assert.match(inWords.stdout, /^saved \d+ files/);
  });

  it("takes its namespace and address from the environment", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    makeCache(localDir, { scale: 0.002 });
    const env = { COMPILE_CACHE_ADDRESS: address, COMPILE_CACHE_NAMESPACE: "llama" };
    const saved = await callCli(["save", ...environment, "--dir", localDir], env);
    assert.match(saved.stdout, / as llama\//);
  });

  it("takes the directory that torch uses where none is named", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    makeCache(localDir, { scale: 0.002 });
    const env = { TORCHINDUCTOR_CACHE_DIR: localDir };
    const saved = await callCli(["save", ...environment, "--address", address], env);
    assert.match(saved.stdout, /^saved /);
  });
});

describe("exit codes", () => {
  it("are in the help", async () => {
    const help = await callCli(["load", "--help"]);
    assert.equal(help.exitCode, 0);
    for (const code of [0, 1, 2, 3, 4, 130])
      assert.match(help.stdout, new RegExp(`^ {2}${code} +\\w`, "m"));
  });

  it("are 2 for wrong usage", async () => {
    const wrong = [
      [],
      ["nonsense"],
      ["load"],
      ["load", "--torch", "2", "--label", "py"],
      ["load", "--torch", "2", "--if-local-exists", "keep"],
      ["ls", "--timeout", "soon"],
      ["watch", "one", "two"],
    ];
    const results = await Promise.all(wrong.map((args) => callCli(args)));
    assert.deepEqual(
      results.map(({ exitCode }) => exitCode),
      wrong.map(() => 2),
    );
    assert.match(results[2]?.stderr ?? "", /--key KEY .*--torch VERSION/s);
  });

  it("are 2 for what the daemon calls malformed, and 1 for what it forbids", async (t) => {
    const { run } = await prepare(t);
    const malformed = await run("load", "--torch", "2.11.0", "--cc", "9.0");
    assert.equal(malformed.exitCode, 2);
    assert.match(malformed.stderr, /^compilecache: --cc needs --cuda/);
    const forbidden = await run("save", ...environment, "--dir", "/etc");
    assert.equal(forbidden.exitCode, 1);
    assert.match(
      forbidden.stderr,
      /outside the allowed directories \(COMPILE_CACHE_ALLOWED_DIRS\): .* Name one in there.* \(the daemon at unix:.*\)$/m,
    );
    const empty = await run("ls", "--namespace", "none");
    assert.match(
      empty.stdout,
      /^the store of the daemon at unix:.* holds no caches of the namespace none; /m,
    );
  });

  it("are 3 for a cache or transfer that is not there", async (t) => {
    const { run } = await prepare(t);
    assert.equal((await run("rm", "0123456789ab")).exitCode, 3);
    assert.equal((await run("watch", "absent")).exitCode, 3);
  });

  it("are 4 where no daemon answers, with the address and how to start one", async (t) => {
    const address = `unix:${await tempDir(t)}/absent.sock`;
    const { exitCode, stderr } = await runCli(["ls", "--address", address]);
    assert.equal(exitCode, 4);
    assert.match(stderr, new RegExp(`^compilecache: no daemon answers at ${address}: connect`));
    assert.match(stderr, new RegExp(`compilecache serve --listen ${address}$`, "m"));
  });
});
