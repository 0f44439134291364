// How a command learns which environment it is about.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { tempDir } from "../../support/client/service-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";

/** Variables of a Python that finds a torch, which nobody could import. */
async function withTorch(t: TestContext): Promise<Record<string, string>> {
  const dir = await tempDir(t);
  mkdirSync(join(dir, "torch"));
  writeFileSync(join(dir, "torch", "__init__.py"), "raise SystemExit('torch was imported')\n");
  writeFileSync(join(dir, "torch", "version.py"), '__version__ = "2.11.0+cpu"\ncuda = None\n');
  return { PYTHONPATH: dir, PYTHONDONTWRITEBYTECODE: "1" };
}

describe("the environment that is found", () => {
  it("is the same for env, save, ls and load, by its key, as JSON, or by itself", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    makeCache(localDir, { scale: 0.002 });
    const env = await withTorch(t);
    const target = ["--dir", localDir, "--address", address];
    const key = (await callCli(["env", "--key"], env)).stdout.trim();
    assert.match(key, /^torch-2\.11\.0_cpu_triton-none_/);
    const file = join(env.PYTHONPATH ?? "", "environment.json");
    writeFileSync(file, (await callCli(["env", "--json"], env)).stdout);

    const saved = await callCli(["save", ...target], env);
    assert.match(saved.stdout, /^saved /, saved.stderr);
    const listed = await callCli(["ls", "--address", address], env);
    assert.match(listed.stdout, new RegExp(`^\\* +default .* ${key}$`, "m"));
    const [, cacheKey = ""] = /default +([0-9a-f]{12})/.exec(listed.stdout) ?? [];

    const noTorch = { COMPILE_CACHE_PYTHON: "/bin/false" };
    for (const named of [
      ["--key", key],
      ["--key", cacheKey],
      ["--environment-file", file],
    ]) {
      const info = await callCli(["info", ...named, ...target, "--json"], noTorch);
      assert.equal(info.exitCode, 0, info.stderr);
      const told = JSON.parse(info.stdout);
      assert.equal(told.environment_key, key);
      assert.equal(told.stored.cache_key, cacheKey);
    }
    const removed = await callCli(["rm", "--key", key, "--address", address], noTorch);
    assert.equal(removed.stdout, `removed default/${cacheKey}\n`, removed.stderr);
    const unknown = await callCli(["load", "--key", cacheKey, ...target], noTorch);
    assert.equal(unknown.exitCode, 3);
    assert.match(unknown.stderr, /holds no cache default\/.*; compilecache ls lists/);
  });

  it("is asked of the Python that is named; where none knows, the flags are told", async (t) => {
    const { address } = await startTestDaemon(t);
    const none = await callCli(["load", "--python", "/nonexistent/python", "--address", address]);
    assert.equal(none.exitCode, 2);
    assert.match(none.stderr, /^compilecache: --python is no program: \/nonexistent\/python\.\n/);
    assert.match(none.stderr, /--key KEY .*--environment-file FILE, or --torch VERSION/s);
    const listed = await callCli(["ls", "--address", address], {
      COMPILE_CACHE_PYTHON: "/bin/false",
    });
    assert.equal(listed.exitCode, 0, "a list needs no environment");
  });
});

describe("components", () => {
  it("that are none are the same as those that are left out, as in a key", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    const none = ["--cuda", "none", "--cc", "none", "--triton", "none"];
    for (const named of [none, none.slice(0, 2), none.slice(4), []]) {
      const args = ["info", "--torch", "2.11.0", ...named, "--dir", localDir, "--address", address];
      const { stdout, stderr } = await callCli([...args, "--json"]);
      assert.equal(JSON.parse(stdout).environment_key, "torch-2.11.0_cpu_triton-none", stderr);
    }
  });
});

describe("options that do not fit together", () => {
  it("are told by their flags", async (t) => {
    const { address } = await startTestDaemon(t);
    const key = "torch-2.11.0_cpu_triton-none";
    const wrong: [string[], RegExp][] = [
      [["--key", key, "--torch", "2.11.0"], /--key and --torch each name the environment/],
      [["--key", key, "--environment-file", "x"], /--key and --environment-file each/],
      [["--key", key, "--cuda", "13.0"], /--cuda goes with --torch, and --key names the whole/],
      [["--label", "py=3.12"], /--label needs --torch/],
      [["--torch", "2.11.0", "--cuda", "13.0"], /--cuda needs --cc/],
      [["--key", "torch-2"], /--key: "torch-2" is neither an environment key.*nor a cache key/s],
      [
        ["--environment-file", "/nonexistent"],
        /--environment-file: there is no file \/nonexistent;/,
      ],
      [["--torch", "2.11.0", "--label", "X=1"], /--label X: a label's name is/],
      [["--torch", ""], /--torch: is required/],
    ];
    const results = await Promise.all(
      wrong.map(([args]) => callCli(["info", ...args, "--address", address])),
    );
    for (const [at, { exitCode, stderr }] of results.entries()) {
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, wrong[at]?.[1] as RegExp);
    }
  });
});

describe("run and env", () => {
  it("are Python's, which gets our words and none of our variables but the daemon's Node", async (t) => {
    const env = await withTorch(t);
    const address = `unix:${await tempDir(t)}/absent.sock`;
    const report =
      "import os, sys; print(*sys.argv[1:]); print(*sorted(n for n in os.environ if n not in sys.argv)); sys.exit(7)";
    const command = [
      "python3",
      "-c",
      report,
      "--python",
      "word",
      "LC_CTYPE",
      "PWD",
      "OLDPWD",
      "SHLVL",
      "_",
    ];
    const { exitCode, stdout, stderr } = await callCli(
      ["run", "--namespace", "x", "--", ...command],
      {
        ...env,
        COMPILE_CACHE_ADDRESS: address,
      },
    );
    assert.equal(exitCode, 7, stderr);
    const [words, variables] = stdout.split("\n");
    assert.match(words ?? "", /^--python word /);
    assert.doesNotMatch(variables ?? "", /UV_THREADPOOL_SIZE/);
    assert.match(variables ?? "", /COMPILE_CACHE_NAMESPACE COMPILE_CACHE_NODE/);
  });

  it("say what to do where there is no Python", async () => {
    for (const [command, way] of [
      ["run", /load and save around the command: their --key/],
      ["env", /--key names the environment/],
    ] as const) {
      const { exitCode, stderr } = await callCli([command, "--", "true"], { PATH: "/nonexistent" });
      assert.equal(exitCode, 2);
      assert.match(stderr, /needs Python 3\.9 or newer, .* --python\.\n/);
      assert.match(stderr, way);
    }
  });
});
