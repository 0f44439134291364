import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ConfigError, readConfig } from "./config.ts";
import type { SettingKey } from "./settings.ts";

const digest = "ab".repeat(32);

function setUp(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return {
    dir,
    file(name: string, mode: number, text: string) {
      writeFileSync(join(dir, name), text);
      chmodSync(join(dir, name), mode);
      return join(dir, name);
    },
    directory(name: string, mode: number, uid?: number) {
      mkdirSync(join(dir, name));
      chmodSync(join(dir, name), mode);
      if (uid !== undefined) chownSync(join(dir, name), uid, uid);
      return join(dir, name);
    },
  };
}

function warningsOf(flags: Partial<Record<SettingKey, string>>): string[] {
  const warnings: string[] = [];
  readConfig(flags, {}, (warning) => warnings.push(warning));
  return warnings;
}

describe("what is open wider than by default", () => {
  it("is warned of at the tokens file", (t) => {
    const { file } = setUp(t);
    const tokens = file("tokens", 0o644, "read r\n");
    assert.match(
      warningsOf({ tokens }).join("\n"),
      /^--tokens-file: "\S+tokens" can be read by every user .*chmod o-r$/,
    );
    chmodSync(tokens, 0o602);
    assert.match(
      warningsOf({ tokens }).join("\n"),
      /^--tokens-file: .* can be changed by every user/,
    );
    chmodSync(tokens, 0o640);
    assert.deepEqual(warningsOf({ tokens }), []);
  });

  it("is warned of at the configuration file, its sockets, keys and directories", (t) => {
    const { dir, file, directory } = setUp(t);
    const open = directory("open", 0o777);
    const key = file("key", 0o644, "");
    const yaml = (mode: string, local: string) => `
listeners:
  - {address: "unix:${dir}/a", mode: "${mode}", rules: [{to: anyone, may: [load], directories: ["${local}"]}]}
  - address: 127.0.0.1:0
    tls: {certificate: ${key}, key: ${key}}
    rules: [{to: {token: ci}, may: [list]}]
tokens: [{name: ci, sha256: ${digest}}]
`;
    const configFile = file("config.yaml", 0o646, yaml("0666", open));
    const warnings = warningsOf({ configFile });
    assert.deepEqual(
      warnings.map((warning) => warning.replaceAll(dir, "")),
      [
        '--config-file: "/config.yaml" can be changed by every user of this machine; take that right away: chmod o-w',
        '--config-file: listeners[1].mode: "0666" lets every user of this machine connect; give "0660", and a group',
        '--config-file: listeners[1].rules: "/open" can be written to by every user of this machine; allow a directory that only its user or group fills',
        '--config-file: listeners[2].tls.key: "/key" can be read by every user of this machine; keep its secrets: chmod o-r',
      ],
    );
    chmodSync(key, 0o600);
    const sound = file("sound.yaml", 0o644, yaml("0660", directory("own", 0o755)));
    assert.deepEqual(warningsOf({ configFile: sound }), []);
  });

  it("is warned of at directories of several users", (t) => {
    if (process.getuid?.() !== 0) return t.skip("only root makes directories of other users");
    const { dir, directory } = setUp(t);
    chmodSync(dir, 0o755);
    directory("lost+found", 0o700);
    directory("alice", 0o755, 1001);
    assert.deepEqual(warningsOf({ allowedDirs: dir }), []);
    directory("bob", 0o755, 1002);
    assert.match(
      warningsOf({ allowedDirs: dir }).join("\n"),
      /^--allowed-dirs: "\S+" holds directories of several users \(1001, 1002\)/,
    );
  });

  it("is nothing of a start without settings", () => assert.deepEqual(warningsOf({}), []));
});

describe("a configuration file", () => {
  it("is no longer alone where another setting says the same", (t) => {
    const { dir, file } = setUp(t);
    const text = `listeners: [{address: "unix:${dir}/a", rules: [{to: anyone, may: [list]}]}]`;
    const configFile = file("config.yaml", 0o600, text);
    const others = { listen: "unix:/b", allowedDirs: "/a", plaintext: "true" };
    assert.throws(
      () => readConfig({ configFile, ...others }, {}),
      (error: ConfigError) => {
        assert.deepEqual(error.mistakes, [
          "--listen: --config-file is given, too, and says that itself",
          "--plaintext: --config-file is given, too, and says that itself",
          "--allowed-dirs: --config-file is given, too, and says that itself",
        ]);
        return error instanceof ConfigError;
      },
    );
  });
});
