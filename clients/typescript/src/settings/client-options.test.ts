import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { resolveClientOptions } from "./client-options.ts";
import { defaultAddress } from "./default-address.ts";

const systemSocket = "/run/compilecache/compilecache.sock";

describe("defaultAddress", () => {
  it("is COMPILE_CACHE_ADDRESS, else the system's socket", (t) => {
    const runtimeDirectory = mkdtempSync(join(tmpdir(), "compilecache-runtime-"));
    t.after(() => rmSync(runtimeDirectory, { recursive: true }));
    assert.equal(defaultAddress({ COMPILE_CACHE_ADDRESS: "host:1" }), "host:1");
    assert.equal(defaultAddress({ XDG_RUNTIME_DIR: runtimeDirectory }), `unix:${systemSocket}`);
  });

  it("is the user's socket where only that one is there", (t) => {
    if (existsSync(systemSocket)) return t.skip("a daemon of this machine has the system's socket");
    const runtimeDirectory = mkdtempSync(join(tmpdir(), "compilecache-runtime-"));
    t.after(() => rmSync(runtimeDirectory, { recursive: true }));
    mkdirSync(join(runtimeDirectory, "compilecache"));
    const socket = join(runtimeDirectory, "compilecache", "compilecache.sock");
    writeFileSync(socket, "");
    assert.equal(defaultAddress({ XDG_RUNTIME_DIR: runtimeDirectory }), `unix:${socket}`);
    const { getuid } = process;
    t.after(() => Object.assign(process, { getuid }));
    Object.assign(process, { getuid: () => 12345 });
    assert.equal(defaultAddress({ XDG_RUNTIME_DIR: runtimeDirectory }), `unix:${systemSocket}`);
  });
});

describe("resolveClientOptions", () => {
  it("prefers what the caller says to the environment", () => {
    const env = {
      COMPILE_CACHE_ADDRESS: "localhost:1",
      COMPILE_CACHE_NAMESPACE: "env",
      COMPILE_CACHE_TOKEN: "env",
    };
    const timeoutMs = undefined;
    const at = (address: string) => `Start one there with: compilecache serve --listen ${address}`;
    assert.deepEqual(resolveClientOptions({}, env), {
      address: "localhost:1",
      advice: at("localhost:1"),
      namespace: "env",
      token: "env",
      tls: undefined,
      timeoutMs,
    });
    const said = { address: "127.0.0.1:1", namespace: "said", token: "said", timeoutMs: 5 };
    assert.deepEqual(resolveClientOptions(said, env), {
      ...said,
      advice: at("127.0.0.1:1"),
      tls: undefined,
    });
    const elsewhere = resolveClientOptions({ address: "gpu7:9400" }, {});
    assert.equal(elsewhere.advice, undefined);
  });

  it("says where it looked for a daemon that is not there, and how to start one", (t) => {
    if (existsSync(systemSocket)) return t.skip("a daemon of this machine has the system's socket");
    const runtimeDirectory = mkdtempSync(join(tmpdir(), "compilecache-runtime-"));
    t.after(() => rmSync(runtimeDirectory, { recursive: true }));
    const { advice } = resolveClientOptions({}, { XDG_RUNTIME_DIR: runtimeDirectory });
    assert.match(advice ?? "", /tried: unix:\/run\/compilecache\/compilecache.sock is not there\n/);
    assert.match(advice ?? "", new RegExp(`tried: unix:${runtimeDirectory}/\\S* is not there\\n`));
    assert.match(advice ?? "", /Start one with: compilecache serve\n.*COMPILE_CACHE_ADDRESS/);
  });

  it("refuses variables that name no store, in the daemon's words, unless an address is named", () => {
    const wrong: [NodeJS.ProcessEnv, string][] = [
      [
        { COMPILE_CACHE_STORE: " /mnt/x " },
        'COMPILE_CACHE_STORE: "/mnt/x" is not a store; give file:///path or s3://bucket/prefix',
      ],
      [
        { COMPILE_CACHE_STORE: "https://user:secret@host", B10FS_CACHE_DIR: "/x" },
        'COMPILE_CACHE_STORE: "https://***@host" is not a store; give file:///path or s3://bucket/prefix',
      ],
      [
        { COMPILE_CACHE_STORE: "s3://" },
        'COMPILE_CACHE_STORE: "s3://" names no bucket: 3 to 63 of a-z 0-9 . -, as in s3://bucket/prefix',
      ],
      [{ B10FS_CACHE_DIR: "x" }, 'B10FS_CACHE_DIR: "x" is not an absolute path'],
    ];
    for (const [env, message] of wrong) {
      assert.throws(() => resolveClientOptions({}, env), { reason: "INVALID_REQUEST", message });
      const address = "unix:/s";
      assert.equal(resolveClientOptions({ address }, env).address, address);
      assert.equal(
        resolveClientOptions({}, { ...env, COMPILE_CACHE_ADDRESS: address }).address,
        address,
      );
    }
    const right = ["file:///mnt/x", "s3://bucket", "s3://bucket/a/b/", "", "file:///a%20b"];
    for (const COMPILE_CACHE_STORE of right) resolveClientOptions({}, { COMPILE_CACHE_STORE });
  });

  it("refuses a deadline that is none, by its value", () => {
    for (const timeoutMs of [-1, Number.NaN, Number.NEGATIVE_INFINITY, "5" as unknown as number])
      assert.throws(() => resolveClientOptions({ timeoutMs }, {}), {
        reason: "INVALID_REQUEST",
        message: `timeoutMs: ${timeoutMs} is no deadline; give milliseconds from 0, or Infinity for none`,
      });
    for (const timeoutMs of [0, 0.5, Number.POSITIVE_INFINITY])
      assert.equal(resolveClientOptions({ timeoutMs }, {}).timeoutMs, timeoutMs);
  });
});
