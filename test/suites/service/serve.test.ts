import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, type TestContext, test } from "node:test";
import { call, connect, tempDir } from "../../support/client/service-client.ts";
import { spawnServe } from "../../support/daemon/serve-process.ts";
import { eventually } from "../../support/eventually.ts";

/** Flags of a daemon that keeps to a directory of its own. */
async function ownPlaces(t: TestContext) {
  const dir = await tempDir(t);
  const socket = `${dir}/daemon.sock`;
  const flags = ["--store", `file://${dir}/store`, "--torch-cache-dir", `${dir}/local`];
  return { dir, socket, flags };
}

function killGroupOf({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // They have all ended.
  }
}

describe("compilecache serve", () => {
  test("prints each mistake on a line of its own and exits with 2", async (t) => {
    const { ended } = spawnServe(t, ["--max-file-count", "many"], {
      COMPILE_CACHE_WORKERS: "zip",
      COMPILE_CACHE_LISTEN: "unix:relative",
    });
    const { code, stderr } = await ended;
    assert.equal(code, 2);
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      'compilecache: COMPILE_CACHE_LISTEN: "unix:relative" holds "unix:relative", which is no address; give unix:/path, host:port or [ipv6]:port',
      'compilecache: --max-file-count: "many" is not a whole number from 1 to 100000000',
      'compilecache: COMPILE_CACHE_WORKERS: "zip" is not a whole number from 1 to 256',
    ]);
  });

  test("starts in another program's environment, and warns of what it cannot understand", async (t) => {
    const dir = await tempDir(t);
    const daemon = spawnServe(t, ["--listen", `unix:${dir}/daemon.sock`], {
      COMPILE_CACHE_STORE: `file://${dir}`,
      TORCHINDUCTOR_CACHE_DIR: "/tmp/a=b,/c",
      LOG_LEVEL: "20",
      LOG_FORMAT: "JSON",
      LOCAL_WORK_DIR: ".",
      MAX_CACHE_SIZE_MB: "4GB",
    });
    await daemon.line("listening");
    const warnings = daemon.lines.filter(({ level }) => level === "warn");
    assert.deepEqual(
      warnings.map(({ message }) => message),
      [
        'LOCAL_WORK_DIR: "." is not an absolute path; the default is used',
        'MAX_CACHE_SIZE_MB: "4GB" is not a whole number from 1 to 1073741824; the default is used',
      ],
    );
    assert.equal((await daemon.line("starting")).local_dir, "/tmp/a=b,/c");
  });

  test("exits with 2 on a flag that there is not, and with 0 after its help", async (t) => {
    const wrong = await spawnServe(t, ["--sotre", "x"]).ended;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /unknown option '--sotre'/);
    assert.equal((await spawnServe(t, ["--help"]).ended).code, 0);
  });

  test("listens on sockets and TCP at once, by either name of the flag", async (t) => {
    const { socket, flags } = await ownPlaces(t);
    const listen = ["--listen", `unix://${socket}`, "--listen", "127.0.0.1:0,[::1]:0"];
    const daemon = spawnServe(t, [...flags, ...listen]);
    await daemon.line("listening");
    const listening = await eventually("three addresses", () => {
      const lines = daemon.lines.filter(({ message }) => message === "listening");
      return lines.length >= 3 && lines;
    });
    const addresses = listening.map(({ address }) => String(address));
    assert.equal(addresses[0], `unix:${socket}`);
    assert.match(addresses[1] ?? "", /^127\.0\.0\.1:[1-9]\d+$/);
    assert.match(addresses[2] ?? "", /^\[::1\]:[1-9]\d+$/);
    for (const address of addresses)
      assert.deepEqual((await call(connect(t, address), "listTransfers")).transfers, []);

    const other = spawnServe(t, [...flags, "--compile-cache-listen", addresses[1] as string]);
    const { code, stderr } = await other.ended;
    assert.equal(code, 2);
    assert.equal(
      stderr,
      `compilecache: cannot listen on ${addresses[1]}: another process listens there already; ` +
        "--listen or COMPILE_CACHE_LISTEN names another address, and compilecache status shows the daemons\n",
    );
  });

  test("exits with 2 and leaves the socket when a daemon listens there already", async (t) => {
    const { socket, flags } = await ownPlaces(t);
    const first = spawnServe(t, [...flags, "--listen", `unix:${socket}`]);
    await first.line("listening");
    const second = await spawnServe(t, [...flags, "--listen", `unix:${socket}`]).ended;
    assert.equal(second.code, 2);
    assert.match(
      second.stderr,
      /^compilecache: cannot listen on unix:[^\n]* already; --listen or [^\n]*\n$/,
    );
    assert.deepEqual((await call(connect(t, `unix:${socket}`), "listTransfers")).transfers, []);
  });

  test("takes the place of a daemon that was killed", async (t) => {
    const { socket, flags } = await ownPlaces(t);
    const first = spawnServe(t, [...flags, "--listen", `unix:${socket}`]);
    await first.line("listening");
    first.child.kill("SIGKILL");
    await first.ended;
    assert.ok(existsSync(socket));
    const second = spawnServe(t, [...flags, "--listen", `unix:${socket}`]);
    await second.line("listening");
    assert.deepEqual((await call(connect(t, `unix:${socket}`), "listTransfers")).transfers, []);
  });

  test("stops in order on SIGTERM and on SIGINT, and removes its socket", async (t) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { socket, flags } = await ownPlaces(t);
      const daemon = spawnServe(t, [...flags, "--listen", `unix:${socket}`]);
      await daemon.line("listening");
      daemon.child.kill(signal);
      const { code, stderr } = await daemon.ended;
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.ok(!existsSync(socket));
    }
  });

  test("stops in order when npx, which started it, is gone", async (t) => {
    const { socket, flags } = await ownPlaces(t);
    const args = ["--no", "compilecache", "serve", ...flags, "--listen", `unix:${socket}`];
    const npx = spawn("npx", args, { cwd: import.meta.dirname, detached: true });
    t.after(() => killGroupOf(npx));
    for await (const line of createInterface(npx.stdout)) if (line.includes("listening")) break;
    assert.ok(existsSync(socket));
    npx.kill("SIGTERM");
    await eventually("the end of the daemon", () => !existsSync(socket));
  });

  test("lets other machines call without encryption only where it is told to, and warns", async (t) => {
    const { dir, flags } = await ownPlaces(t);
    const network = [...flags, "--listen", "0.0.0.0:0"];
    const refused = spawnServe(t, network);
    assert.equal((await refused.ended).code, 2);
    const open = spawnServe(t, [...network, "--plaintext", "true"]);
    const line = await open.line("anybody on the network may call: nothing is asked of callers");
    assert.equal(line.level, "warn");

    writeFileSync(`${dir}/tokens`, "write w\n");
    const tokens = { COMPILE_CACHE_TOKENS_FILE: `${dir}/tokens` };
    const told = spawnServe(t, [...network, "--plaintext", "true"], tokens);
    assert.equal((await told.ended).code, 2);
  });

  test("reads tokens again on SIGHUP, and keeps those that it has where it cannot", async (t) => {
    const { dir, socket, flags } = await ownPlaces(t);
    const write = (text: string) => writeFileSync(`${dir}/tokens`, text);
    write("read old\n");
    const { child, line } = spawnServe(t, [...flags, "--listen", `unix:${socket}`], {
      COMPILE_CACHE_TOKENS_FILE: `${dir}/tokens`,
    });
    await line("listening");
    const client = connect(t, `unix:${socket}`);
    const isKnown = (token: string) =>
      call(client, "listCaches", {}, { metadata: { authorization: `Bearer ${token}` } }).then(
        () => true,
        () => false,
      );
    assert.ok(await isKnown("old"));
    write("read new\n");
    child.kill("SIGHUP");
    await line("the configuration's files were read again");
    assert.deepEqual([await isKnown("old"), await isKnown("new")], [false, true]);
    write("nonsense\n");
    child.kill("SIGHUP");
    await line("the configuration stays as it was");
    assert.ok(await isKnown("new"));
  });

  test("goes on serving when its log has no reader", async (t) => {
    const { socket, flags } = await ownPlaces(t);
    const daemon = spawnServe(t, [...flags, "--listen", `unix:${socket}`, "--log-level", "debug"]);
    await daemon.line("listening");
    daemon.child.stdout?.destroy();
    const client = connect(t, `unix:${socket}`);
    for (let n = 0; n < 3; n++) {
      await call(client, "getTransfer", { operationId: "none" }).catch(() => {});
      assert.deepEqual((await call(client, "listTransfers")).transfers, []);
    }
  });

  test("logs an unhandled rejection, and stays up", async (t) => {
    const { socket, flags } = await ownPlaces(t);
    const stray = "process.on('SIGUSR2', () => Promise.reject(new Error('stray')))";
    const daemon = spawnServe(t, [...flags, "--listen", `unix:${socket}`], {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(stray)}`,
    });
    await daemon.line("listening");
    daemon.child.kill("SIGUSR2");
    const line = await daemon.line("unhandled rejection");
    assert.match(String(line.error), /stray/);
    assert.deepEqual((await call(connect(t, `unix:${socket}`), "listTransfers")).transfers, []);
  });
});
