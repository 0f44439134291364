// What a person types who knows other programs.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { launcher } from "../../../fixtures/daemon-process.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { runCli, startProgram } from "../../support/cli/run-cli.ts";
import { tempDir } from "../../support/client/service-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";

describe("a guess", () => {
  it("that is wrong is answered in one form, with where to look", async () => {
    const wrong: [string[], RegExp][] = [
      [[], /^Usage: compilecache .*^Examples:/ms],
      [["laod"], /^compilecache: unknown command 'laod'\n\(Did you mean load\?\)/],
      [["load", "--namespce", "x"], /^compilecache: unknown .*\(Did you mean --namespace\?\)/s],
      [
        ["load", "extra"],
        /^compilecache: too many .*\n\(compilecache load --help tells more\)\n$/s,
      ],
      [["serve", "--nonsense"], /^compilecache: unknown .*\n\(compilecache serve --help tells/s],
      [["completion"], /^compilecache: missing .*\n\(compilecache completion --help tells more\)/],
      [
        ["gc", "--store", "/tmp/x"],
        /^compilecache: --store: "\/tmp\/x" is not a store; give file:/,
      ],
      [["help", "nonsense"], /the topics are environment, store, keys,\n.*lists the commands\n$/],
    ];
    for (const [args, words] of wrong) {
      const { exitCode, stdout, stderr } = await callCli(args);
      assert.deepEqual([exitCode, stdout], [2, ""], args.join(" "));
      assert.match(stderr, words);
    }
  });

  it("at the version, or at help about what Python does, is as good as what is documented", async () => {
    const { stdout: version } = await callCli(["--version"]);
    for (const word of ["-V", "version"]) assert.equal((await callCli([word])).stdout, version);
    const { exitCode, stdout } = await runCli(["help", "run"]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /--ready-url/);
  });

  it("is told through npx where npx started the program", async (t) => {
    const at = ["--address", `${await tempDir(t)}/absent.sock`];
    const { stderr } = await callCli(["ls", ...at], { npm_command: "exec", PATH: "/nonexistent" });
    assert.match(stderr, /^Start one with: npx compilecache serve --listen unix:/m);
  });
});

describe("a command on a store", () => {
  it("says which store, and how to name another", async (t) => {
    const { dir } = await startTestDaemon(t);
    const verified = await callCli(["verify", "--store", `file://${dir}/store`]);
    assert.equal(verified.stdout, `0 sound, 0 not, in file://${dir}/store\n`);
    const gone = await callCli(["gc", "--store", `file://${dir}/none`]);
    assert.match(gone.stderr, /none is not there: .* with --store or COMPILE_CACHE_STORE\n$/);
  });
});

it("a reader that has read enough is no error", async (t) => {
  const { address } = await startTestDaemon(t);
  for (const words of ["load --help", `ls --address ${address}`]) {
    const script = `"$0" "$1" ${words} | true; echo "\${PIPESTATUS[0]}"`;
    const args = ["--norc", "-c", script, process.execPath, launcher];
    const { stdout, stderr } = await startProgram("bash", args, {
      COMPILE_CACHE_PYTHON: "/bin/false",
    }).ended;
    assert.deepEqual([stdout, stderr], ["0\n", ""], words);
  }
});
