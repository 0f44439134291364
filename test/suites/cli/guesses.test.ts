// What a person types who knows other programs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { createServer } from "node:tls";
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

  it("at a store is answered so by whatever looks for a daemon of it", async () => {
    const env = { COMPILE_CACHE_STORE: "/tmp/x" };
    const message =
      'COMPILE_CACHE_STORE: "/tmp/x" is not a store; give file:///path or s3://bucket/prefix';
    for (const command of ["ls", "status", "logs"]) {
      const { exitCode, stdout, stderr } = await callCli([command], env);
      assert.deepEqual([exitCode, stdout, stderr], [2, "", `compilecache: ${message}\n`], command);
    }
    const { stdout } = await callCli(["ls", "--json"], env);
    const { error } = JSON.parse(stdout);
    assert.deepEqual([error.reason, error.message], ["INVALID_REQUEST", message]);
  });

  it("at a variable is told by each command, once, and beside all other mistakes", async () => {
    const misspelled = { COMPILE_CACHE_STOER: "file:///x", COMPILE_CACHE_ADDRES: "x" };
    const words = [
      "compilecache: COMPILE_CACHE_STOER is no setting; did you mean COMPILE_CACHE_STORE?",
      "compilecache: COMPILE_CACHE_ADDRES is no setting; did you mean COMPILE_CACHE_ADDRESS?",
    ];
    const absent = ["--address", "/nonexistent/daemon.sock"];
    for (const args of [
      ["ls", ...absent],
      ["help", "store"],
      ["verify", "--store", "/x"],
    ]) {
      const lines = (await callCli(args, misspelled)).stderr.split("\n");
      for (const line of words) assert.equal(lines.filter((one) => one === line).length, 1, line);
    }
    const completed = await callCli(["complete", "--", "lo"], misspelled);
    assert.equal(completed.stderr, "");
    const { exitCode, stderr } = await callCli(["serve", "--workers", "none"], {
      ...misspelled,
      COMPILE_CACHE_STORE: "nonsense",
      MAX_CACHE_SIZE_MB: "-4",
    });
    assert.equal(exitCode, 2);
    for (const line of [...words, "compilecache: MAX_CACHE_SIZE_MB: ", "compilecache: --workers: "])
      assert.ok(stderr.includes(line), `${line} in ${stderr}`);
    assert.match(stderr, /^compilecache: COMPILE_CACHE_STORE: "nonsense" is not a store/m);
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

it("a daemon that answers, and cannot be talked to, is not said to be missing", async (t) => {
  const certificate = (name: string) =>
    readFile(new URL(`../../vectors/tls/${name}`, import.meta.url));
  const server = createServer({
    key: await certificate("server.key"),
    cert: await certificate("server.crt"),
  });
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const command of ["ls", "status"]) {
    const args = [command, "--address", address];
    const { exitCode, stdout, stderr } = await callCli(args, { COMPILE_CACHE_TLS_CA: "system" });
    assert.equal(exitCode, 4);
    assert.match(stdout + stderr, /signed by none that is trusted here/);
    assert.doesNotMatch(stdout + stderr, /Start one|use-system-ca/);
  }
});

describe("a command on a store", () => {
  it("says which store, and how to name another", async (t) => {
    const { dir } = await startTestDaemon(t);
    const verified = await callCli(["verify", "--store", `file://${dir}/store`]);
    assert.equal(verified.stdout, `0 sound, 0 not, in file://${dir}/store\n`);
    const nothing = await callCli(["gc", "--store", `file://${dir}/store`]);
    assert.match(nothing.stdout, /^nothing to remove of file:.*\/store\n$/m);
    const unnamed = await callCli(["verify"]);
    assert.match(
      unnamed.stderr,
      /^compilecache: no store was named; this is the default, file:\/\/\/cache\/model\/compile_cache\n/,
    );
    for (const { stderr } of [verified, nothing]) assert.equal(stderr, "");
    const gone = await callCli(["gc", "--store", `file://${dir}/none`]);
    assert.match(gone.stderr, /none is not there: .* with --store or COMPILE_CACHE_STORE\n$/);
  });
});

describe("a key", () => {
  it("that is there already, has no directory, or was not named is told in words", async (t) => {
    const dir = await tempDir(t);
    assert.equal((await callCli(["keygen", `${dir}/team`])).exitCode, 0);
    const again = await callCli(["keygen", `${dir}/team`]);
    assert.match(
      again.stderr,
      /no keys were made: \/.*team\.pub is there already, .* another name/,
    );
    const nowhere = await callCli(["keygen", `${dir}/none/team`]);
    assert.match(nowhere.stderr, /there is no directory \/.*\/none: make it/);
    const unsigned = await callCli(["sign", "--store", `file://${dir}`]);
    assert.equal(unsigned.exitCode, 2);
    assert.match(unsigned.stderr, /name its file with --signing-key or COMPILE_CACHE_SIGNING_KEY/);
    const unread = await callCli(["load", "--environment-file", `${dir}/nofile.json`]);
    assert.match(
      unread.stderr,
      /--environment-file: there is no file .*nofile\.json; .* env --json/,
    );
  });
});

describe("a transfer", () => {
  it("of a namespace that was not named, one that has ended, and one given up are told so", async (t) => {
    const { dir, address } = await startTestDaemon(t);
    const at = ["--address", address];
    await mkdir(`${dir}/local/made`, { recursive: true });
    await writeFile(`${dir}/local/made/kernel`, "kernel");
    const made = ["--torch", "2.1.0", "--namespace", "acme/model", "--dir", `${dir}/local/made`];
    const saved = await callCli(["save", ...made, "--json", ...at]);
    assert.equal(saved.exitCode, 0, saved.stdout + saved.stderr);
    const { transfer } = JSON.parse(saved.stdout);
    const missed = await callCli(["load", "--key", transfer.cache_key, ...at]);
    assert.equal(missed.exitCode, 3);
    assert.match(missed.stderr, /but one of the namespace acme\/model: name it with --namespace/);
    const cancelled = await callCli(["cancel", transfer.operation_id.slice(0, 8), ...at]);
    assert.match(cancelled.stdout, /^it had ended already: saved /);
    const ofPython = await callCli(["watch", "local-3f9a5c21-0000", ...at]);
    assert.equal(ofPython.exitCode, 2);
    assert.match(ofPython.stderr, /is of the Python process .* daemon_operation_id/);
    const late = await callCli(["save", ...made, "--timeout", "0.000001", ...at]);
    assert.equal(late.exitCode, 1);
    assert.match(
      late.stderr,
      /given up after 0.000001 s \(--timeout\); .* leaves the store as it was/,
    );
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
