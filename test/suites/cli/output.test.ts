// What people see: terminals of a width, output that cannot be written, completion.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { launcher } from "../../../fixtures/daemon-process.ts";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { startCliOnTerminal, startProgram } from "../../support/cli/run-cli.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";

describe("output", () => {
  it("fits a terminal of 80 columns, and is whole in a pipe", async (t) => {
    const { address, localDir } = await startTestDaemon(t);
    makeCache(localDir, { scale: 0.002 });
    const labels = ["arch=x86-64", "gpu=nvidia-h200", "isa=avx512", "py=3.12"];
    const target = [
      ...["--torch", "2.11.0", "--cuda", "13.0", "--cc", "9.0", "--triton", "3.6.0"],
      ...labels.flatMap((label) => ["--label", label]),
      ...["--address", address],
    ];
    await callCli(["save", ...target, "--dir", localDir, "--namespace", "n".repeat(30)]);
    const ls = await startCliOnTerminal(["ls", ...target]).ended;
    const info = await startCliOnTerminal([
      ...["info", ...target, "--dir", localDir, "--namespace", "n".repeat(30)],
    ]).ended;
    for (const { stdout, exitCode } of [ls, info]) {
      assert.equal(exitCode, 0, stdout);
      // A path has no place to break it.
      for (const line of stdout.split(/\r?\n/)) assert.ok(line.length <= 80, line);
    }
    assert.match(ls.stdout, /n{30} {2}[0-9a-f]{12} .*torch-2\.11\.0.*…/);
    const piped = await callCli(["ls", ...target]);
    assert.match(piped.stdout, /_isa-avx512_py-3\.12$/m);
    assert.ok(!piped.stdout.includes("\u001b"));
  });

  it("that cannot be written is an error of one sentence", async () => {
    const lost = await startProgram("sh", [
      ...["-c", '"$0" "$1" help store > /dev/full', process.execPath, launcher],
    ]).ended;
    assert.equal(lost.exitCode, 1);
    assert.match(
      lost.stderr,
      /^compilecache: the output could not be written: no space is left .*\n$/,
    );
  });
});

describe("completion", () => {
  it("is printed for each shell, and is what the shell can read", async () => {
    const shells = ["bash", "zsh", "fish"];
    const printed = await Promise.all(shells.map((shell) => callCli(["completion", shell])));
    for (const [at, { stdout, exitCode }] of printed.entries()) {
      const shell = shells[at];
      assert.equal(exitCode, 0);
      assert.match(stdout, /compilecache/);
      if (shell !== "bash") continue;
      // Read twice, as by a shell within a shell, it says nothing.
      const input = `${stdout}\n${stdout}\ncomplete -p compilecache\n`;
      const read = spawnSync("bash", ["--norc"], { input, encoding: "utf8" });
      assert.deepEqual([read.status, read.stderr], [0, ""]);
      assert.equal(read.stdout, "complete -o default -F __compilecache_complete compilecache\n");
    }
    const help = await callCli(["completion", "--help"]);
    assert.match(help.stdout, /bash +mkdir -p .*\n +compilecache completion bash \\\n +> /);
    assert.equal((await callCli(["completion", "tcsh"])).exitCode, 2);
  });

  it("knows commands, options and the words that an option takes", async () => {
    const completed = async (...words: string[]) =>
      (await callCli(["complete", "--", ...words])).stdout;
    assert.match(await completed("lo"), /^load\t/m);
    assert.match(await completed("r"), /^run\t.*\n(?:.*\n)*rm\t|^rm\t.*\n(?:.*\n)*run\t/m);
    assert.match(await completed("load", "--if"), /^--if-local-exists\t/m);
    assert.match(await completed("load", "--if-local-exists", ""), /^merge\t?$/m);
    assert.match(await completed("logs", "--p"), /^--previous\t/m);
    for (const word of ["store", "load"])
      assert.match(await completed("help", ""), new RegExp(`^${word}\t`, "m"));
  });

  it("leaves paths to the shell, and nothing else", async () => {
    const files = ":0\n";
    for (const words of [
      ["load", "--dir", "roo"],
      ["load", "--dir=roo"],
      ["save", "--namespace", "x", "--dir", ""],
      ["load", "--environment-file", ""],
      ["serve", "--config-file", ""],
      ["gc", "--b10fs-cache-dir", "/"],
      ["sign", "--signing-key", ""],
      ["keygen", "te"],
      ["run", "--", "python", "tr"],
    ])
      assert.equal((await callCli(["complete", "--", ...words])).stdout, files, words.join(" "));
    for (const words of [["lo"], ["load", "--di"], ["load", "--namespace", ""], ["help", ""]])
      assert.match((await callCli(["complete", "--", ...words])).stdout, /^:4$/m);
  });
});
