import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { generateKeys } from "../signing/keys.ts";
import { ConfigError, readConfig } from "./config.ts";

/** Files of two pairs of keys. */
function makeKeys(t: TestContext): string[] {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-keys-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return ["one", "two"].flatMap((name) => {
    const { signingKey, trustedKey } = generateKeys();
    const [key, pub] = [join(dir, `${name}.key`), join(dir, `${name}.pub`)];
    writeFileSync(key, signingKey, { mode: 0o600 });
    writeFileSync(pub, trustedKey, { mode: 0o644 });
    return [key, pub];
  });
}

function mistakesOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig({}, environment);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.mistakes;
  }
}

describe("the settings of signing", () => {
  it("take keys, and mistake neither kind for the other", (t) => {
    const [key = "", pub = "", , otherPub = ""] = makeKeys(t);
    const config = readConfig(
      { signingKey: key, trustedKeys: `${pub}, ${otherPub}` },
      {},
      assert.fail,
    );
    assert.equal(config.trustedKeys?.length, 2);
    assert.equal(config.signingKey?.id, config.trustedKeys?.[0]?.id);
    assert.match(mistakesOf({ COMPILE_CACHE_SIGNING_KEY: pub })[0] ?? "", /KEY: "\S+one\.pub" /);
    assert.match(mistakesOf({ COMPILE_CACHE_TRUSTED_KEYS: key })[0] ?? "", /KEYS: "\S+one\.key" /);
    assert.match(
      mistakesOf({ COMPILE_CACHE_TRUSTED_KEYS: `${pub},/none` })[0] ?? "",
      /holds "\/none", which cannot be read/,
    );
  });

  it("warn of keys that others may read or change, each of a list", (t) => {
    const [key = "", pub = "", , otherPub = ""] = makeKeys(t);
    chmodSync(key, 0o604);
    chmodSync(otherPub, 0o646);
    const warnings: string[] = [];
    const flags = { signingKey: key, trustedKeys: `${pub}, ${otherPub}` };
    readConfig(flags, {}, (warning) => warnings.push(warning));
    assert.equal(warnings.length, 2);
    assert.match(warnings[0] ?? "", /^--signing-key: "\S+one\.key" can be read by every user/);
    assert.match(warnings[1] ?? "", /^--trusted-keys: "\S+two\.pub" can be changed by every user/);
  });

  it("refuse a key where archives cannot be signed", (t) => {
    const [key = ""] = makeKeys(t);
    assert.match(
      mistakesOf({ COMPILE_CACHE_SIGNING_KEY: key, ARCHIVE_FORMAT: "tar.gz" })[0] ?? "",
      /^COMPILE_CACHE_SIGNING_KEY: an archive in the format tar\.gz cannot be signed/,
    );
  });
});

describe("the settings of an origin", () => {
  it("take what can be printed", () => {
    const revision = `sha256:${"0f".repeat(32)}`;
    const config = readConfig({ saver: "builder 7", revision }, {}, assert.fail);
    assert.deepEqual([config.saver, config.revision], ["builder 7", revision]);
    for (const [text, words] of [
      ["a\u001b[2Jb", /holds characters that cannot be printed/],
      ["x".repeat(257), /is longer than 256 characters/],
    ] as const)
      assert.match(mistakesOf({ COMPILE_CACHE_SAVER: text })[0] ?? "", words);
  });
});
