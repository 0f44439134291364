import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { after, before, describe, it } from "node:test";
import { processIdentity } from "compilecache-client/daemons";
import { systemSocketPath } from "compilecache-client/places";
import { ownDaemonName } from "../../../clients/typescript/src/settings/own-daemon.ts";
import { compiledCode, launcher } from "../../../fixtures/daemon-process.ts";
import { createCallCli } from "../../support/cli/call-cli.ts";
import { type RunningCli, startProgram } from "../../support/cli/run-cli.ts";
import { eventually } from "../../support/eventually.ts";
import { cannotBeNobody, nobody } from "../../support/machine/as-user.ts";

// A user of this test's own, where that can be: daemons of others must not be found, let alone stopped.
const user = cannotBeNobody ? Number(process.getuid?.()) : nobody;
const asUser = cannotBeNobody
  ? []
  : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--"];

const isolated =
  cannotBeNobody || (existsSync(systemSocketPath) && "this machine has a daemon of its own");

describe("daemons", { skip: isolated }, () => {
  let dir: string;
  let variables: Record<string, string>;
  let own: string;
  const started: ChildProcess[] = [];

  /** Starts a daemon of that user, as the Python package does; its log goes to a file beside its socket. */
  async function startDaemon(socket: string, env: Record<string, string> = {}, log = true) {
    const output = log ? openSync(socket.replace(/sock$/, "log"), "w") : "ignore";
    const [program = "", ...words] = [...asUser, process.execPath, launcher];
    const child = spawn(program, [...words, "serve", "--listen", socket], {
      env: {
        PATH: process.env.PATH ?? "",
        COMPILE_CACHE_STARTED_BY: "a test",
        MALLOC_ARENA_MAX: "2",
        ...compiledCode(),
        ...variables,
        ...env,
      },
      stdio: ["ignore", output, "inherit"],
    });
    started.push(child);
    await eventually(`the state of ${socket}`, () => existsSync(`${socket}.json`));
    return child;
  }

  function start(args: readonly string[], env: Record<string, string> = {}): RunningCli {
    const [program = "", ...words] = [...asUser, process.execPath, launcher, ...args];
    return startProgram(program, words, { ...variables, ...env });
  }

  const call = createCallCli(asUser);
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    call(args, { ...variables, ...env });

  before(async () => {
    dir = mkdtempSync("/tmp/cc-daemons-");
    for (const name of ["compilecache", "local", "store"]) mkdirSync(`${dir}/${name}`, 0o700);
    for (const name of ["", "compilecache", "local", "store"])
      chownSync(`${dir}/${name}`, user, user);
    variables = {
      XDG_RUNTIME_DIR: dir,
      B10FS_CACHE_DIR: `${dir}/store`,
      TORCH_CACHE_DIR: `${dir}/local`,
    };
    const { getuid } = process;
    Object.assign(process, { getuid: () => user });
    own = `${dir}/compilecache/${ownDaemonName(variables).name}.sock`;
    Object.assign(process, { getuid });
  });
  after(() => {
    for (const child of started) child.kill("SIGKILL");
    rmSync(dir, { recursive: true });
  });

  it("are missed in words that say where was looked, and what to do", async () => {
    for (const command of [["ls"], ["load", "--torch", "2.1.0"]]) {
      const { exitCode, stderr } = await run(command);
      assert.equal(exitCode, 4, stderr);
      assert.match(stderr, /^compilecache: no daemon answers at unix:\/run\/compilecache/);
      for (const path of [systemSocketPath, `${dir}/compilecache/compilecache.sock`, own])
        assert.match(stderr, new RegExp(`^ {2}tried: unix:${path} is not there$`, "m"));
      assert.match(stderr, /^Start one with: compilecache serve$/m);
      assert.match(stderr, /--address or COMPILE_CACHE_ADDRESS/);
    }
    assert.equal((await run(["status"])).exitCode, 4);
    assert.deepEqual(JSON.parse((await run(["status", "--json"])).stdout), { daemons: [] });
    assert.match(
      (await run(["status"])).stdout,
      /^A daemon on another socket is found by --address/m,
    );
    assert.equal((await run(["stop"])).exitCode, 4);
    const { exitCode, stderr } = await run(["logs"]);
    assert.equal(exitCode, 4);
    assert.match(stderr, /no daemon runs, and none has left a log/);
  });

  it("are named by sockets' paths too, and nonsense is laid to the flag or the variable", async () => {
    const { stderr, exitCode } = await run(["ls", "--address", "nonsense"]);
    assert.equal(exitCode, 2);
    assert.match(
      stderr,
      /option '--address <address>' argument 'nonsense' is invalid\. Give unix:/,
    );
    const variable = await run(["ls"], { COMPILE_CACHE_ADDRESS: "http://x" });
    assert.equal(variable.exitCode, 2);
    assert.match(variable.stderr, /'http:\/\/x' from env 'COMPILE_CACHE_ADDRESS' is invalid/);
    const absent = await run(["ls", "--address", `${dir}/absent.sock`]);
    assert.equal(absent.exitCode, 4);
    assert.match(absent.stderr, new RegExp(`no daemon answers at unix:${dir}/absent.sock`));
    for (const command of ["status", "logs", "stop"]) {
      const named = { COMPILE_CACHE_ADDRESS: `${dir}/absent.sock` };
      const { exitCode, stdout, stderr } = await run([command], named);
      assert.equal(exitCode, 4, command);
      assert.match(stdout + stderr, new RegExp(`no daemon runs at unix:${dir}/absent.sock`));
      if (command !== "stop") assert.match(stdout + stderr, /^Start one with: .* --listen unix:/m);
    }
  });

  it("are found where Python starts them, shown, followed and stopped", async () => {
    const child = await startDaemon(own);
    const listed = await run(["ls"]);
    assert.equal(listed.exitCode, 0, listed.stderr);
    assert.match(listed.stdout, /^the store of the daemon at unix:.* holds no caches; /);
    assert.match(listed.stderr, new RegExp(`taking the daemon that Python started: unix:${own}\n`));
    // Another store's is another's.
    const other = await run(["ls"], { B10FS_CACHE_DIR: `${dir}/another` });
    assert.equal(other.exitCode, 4);
    for (const command of ["ls", "status", "logs"]) {
      const { stdout, stderr } = await run([command], { B10FS_CACHE_DIR: `${dir}/another` });
      const told = command === "status" ? stdout : stderr;
      assert.match(
        told,
        new RegExp(`a daemon runs at unix:${own}, but for the store file://${dir}/store:\n`),
      );
      assert.doesNotMatch(told, /^(compilecache: )?no daemon runs/m);
    }

    const { stdout, exitCode } = await run(["status"]);
    assert.equal(exitCode, 0);
    assert.match(
      stdout,
      new RegExp(`^unix:${own} {2}\\(the other commands talk to this one\\)$`, "m"),
    );
    for (const line of [
      "state +serving, no transfers run",
      `process +${child.pid}`,
      "since +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC",
      "started by +a test, as .*",
      `store +file://${dir}/store`,
      `log +${own.replace(/sock$/, "log")}`,
    ])
      assert.match(stdout, new RegExp(`^ {2}${line}$`, "m"));
    const [told] = JSON.parse((await run(["status", "--json"])).stdout).daemons;
    assert.deepEqual(
      [told.address, told.taken, told.state, told.transfers, told.pid, told.problem],
      [`unix:${own}`, true, "serving", 0, child.pid, null],
    );

    assert.match((await run(["logs"])).stdout, /"message":"starting".*"message":"listening"/s);
    assert.match((await run(["logs", "-n", "1"])).stdout, /^\{.*\}\n$/);
    const following = start(["logs", "--follow", "--lines", "1"]);
    await following.shown(/\n/);
    child.kill("SIGHUP");
    await following.shown(/"message":"the configuration's files were read again".*\n/);
    following.child.kill("SIGINT");
    assert.equal((await following.ended).exitCode, 130);

    const stopped = await run(["stop"]);
    assert.equal(stopped.stdout, `stopped unix:${own} (process ${child.pid})\n`);
    assert.equal(stopped.exitCode, 0);
    assert.equal(processIdentity(Number(child.pid)), undefined);
    assert.deepEqual(
      readdirSync(`${dir}/compilecache`).filter((name) => !name.endsWith(".log")),
      [],
    );
    const unkept = await run(["logs", "--previous"]);
    assert.equal(unkept.exitCode, 1);
    assert.match(
      unkept.stderr,
      /no log of a daemon before is kept: .*\.previous\.log is not there/,
    );
    const before = own.replace(/sock$/, "previous.log");
    writeFileSync(before, "what the one before wrote\n");
    chownSync(before, user, user);
    assert.equal((await run(["logs", "-p"])).stdout, "what the one before wrote\n");
    rmSync(before);
    // What it wrote last tells why it is gone.
    const left = await run(["logs"]);
    assert.match(left.stdout, /"message":"stopping"/);
    assert.match(left.stderr, /no daemon runs; this is what the last one wrote/);
  });

  it("are told apart: by their stores, and which to stop", async () => {
    const first = await startDaemon(own, {}, false);
    const users = `${dir}/compilecache/compilecache.sock`;
    const second = await startDaemon(users, { B10FS_CACHE_DIR: `${dir}/another` });
    const { stderr, exitCode } = await run(["ls"]);
    assert.equal(exitCode, 0);
    assert.match(
      stderr,
      new RegExp(
        `unix:${users} is of a daemon of another store, file://${dir}/another; ` +
          `this process names file://${dir}/store\n`,
      ),
    );
    assert.match(stderr, new RegExp(`taking the daemon that Python started: unix:${own}\n`));
    // Who names no store has the first.
    const { stderr: nothing } = await run(["ls"], { B10FS_CACHE_DIR: "" });
    assert.equal(nothing, "");

    const noFile = await run(["logs"]);
    assert.equal(noFile.exitCode, 1);
    assert.match(noFile.stderr, new RegExp(`is no file: .* process ${first.pid}, /dev/null`));

    // Which one it is follows from the store, as it does for the other commands.
    const of = await run(["stop"]);
    assert.equal(of.stdout, `stopped unix:${own} (process ${first.pid})\n`, of.stderr);
    const refused = await run(["stop"]);
    assert.deepEqual([refused.exitCode, refused.stdout], [4, ""]);
    assert.match(
      refused.stderr,
      new RegExp(
        `^compilecache: no daemon of this store runs\n` +
          `a daemon runs at unix:${users}, but for the store file://${dir}/another:\n` +
          "  set COMPILE_CACHE_STORE to that, or name the daemon by --address\n" +
          "or stop all of this user: compilecache stop --all\n$",
      ),
    );
    assert.notEqual(processIdentity(Number(second.pid)), undefined);
    const one = await run(["stop"], { B10FS_CACHE_DIR: `${dir}/another` });
    assert.equal(one.stdout, `stopped unix:${users} (process ${second.pid})\n`);
    // Whose own daemon is another store's names none, and has none either.
    const unasked = await startDaemon(own, {}, false);
    const bare = await run(["stop"], { B10FS_CACHE_DIR: "" });
    assert.equal(bare.exitCode, 4);
    assert.match(bare.stderr, new RegExp(`a daemon runs at unix:${own}, but for the store`));
    const asked = await run(["stop", "--address", own]);
    assert.equal(asked.stdout, `stopped unix:${own} (process ${unasked.pid})\n`);
    const fourth = await startDaemon(own, {}, false);
    const third = await startDaemon(users);
    const all = await run(["stop", "--all", "--json"]);
    assert.deepEqual(
      new Set(JSON.parse(all.stdout).daemons.map(({ pid }: { pid: number }) => pid)),
      new Set([fourth.pid, third.pid]),
    );
    for (const { pid } of [fourth, third]) assert.equal(processIdentity(Number(pid)), undefined);
  });

  it("of another user are not stopped, which is said in words", async () => {
    const socket = `${dir}/roots.sock`;
    const child = spawn(process.execPath, [launcher, "serve", "--listen", socket], {
      env: {
        PATH: process.env.PATH ?? "",
        MALLOC_ARENA_MAX: "2",
        ...compiledCode(),
        ...variables,
        LOG_LEVEL: "error",
      },
      stdio: ["ignore", "ignore", "inherit"],
    });
    started.push(child);
    await eventually("its state", () => existsSync(`${socket}.json`));
    const closed = await run(["ls", "--address", socket]);
    assert.equal(closed.exitCode, 4);
    assert.match(closed.stderr, /only the user and the group of this socket may connect/);
    assert.doesNotMatch(closed.stderr, /Start one/);
    const hidden = await run(["stop", "--address", socket]);
    assert.equal(hidden.exitCode, 1);
    assert.match(hidden.stderr, /a file that this user may not read, .*\.sock\.json: stop it as/);
    // Its own group may connect, so it may read who it is.
    chownSync(`${socket}.json`, user, user);
    const { exitCode, stderr } = await run(["stop", "--address", socket]);
    assert.equal(exitCode, 1);
    assert.match(stderr, new RegExp(`may not be stopped by this user: process ${child.pid} is`));
    child.kill("SIGKILL");
    await once(child, "exit");
    const gone = await run(["stop", "--address", socket]);
    assert.match(gone.stderr, /has no daemon any more: process \d+ is gone/);
  });
});
