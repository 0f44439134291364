import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { parseAccessFile } from "./access-file.ts";
import type { Mistake } from "./parse/values.ts";

function fileWith(t: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "config.yaml"), text);
  return join(dir, "config.yaml");
}

function mistakeIn(t: TestContext, text: string): string {
  try {
    parseAccessFile(fileWith(t, text));
    return "none";
  } catch (error) {
    return (error as Mistake).message;
  }
}

const digest = "ab".repeat(32);

describe("a configuration file", () => {
  it("says where to listen, and who may do what there", (t) => {
    const [socket, network] = parseAccessFile(
      fileWith(
        t,
        `
listeners:
  - address: unix:/run/cc/a.sock
    mode: "0660"
    owner: root
    group: 1000
    rules:
      - {to: anyone, may: [load, list], directories: [/cache, /pod=/node], namespaces: ["llama-*"]}
      - {to: anyone, may: [copy], copy_directories: [/app]}
  - address: 0.0.0.0:50051
    tls: {certificate: /tls/crt, key: /tls/key, client_ca: /tls/ca}
    rules:
      - {to: {certificate: trainer.example}, may: [save], directories: [/cache]}
      - {to: {token: ci}, may: [delete]}
tokens:
  - {name: ci, sha256: ${digest}, expires: 2999-01-31}
`,
      ),
    );
    assert.deepEqual(socket?.listener, {
      address: { kind: "unix", path: "/run/cc/a.sock" },
      socket: { mode: 0o660, uid: 0, gid: 1000 },
    });
    const [first, second] = socket.policy.anyone?.rules ?? [];
    assert.deepEqual([...(first?.may ?? [])], ["load", "list"]);
    assert.equal(first?.localDirs.resolve("/pod/model", "local_dir").path, "/node/model");
    assert.throws(() => first?.localDirs.resolve("/app", "local_dir"), /outside/);
    assert.deepEqual(first?.namespaces, ["llama-*"]);
    assert.equal(second?.copyDirs.resolve("/app/x", "source").path, "/app/x");
    assert.throws(() => second?.localDirs.resolve("/app/x", "local_dir"), /outside/);
    assert.deepEqual(socket.policy.tokens, []);
    assert.deepEqual(network?.listener.tls, {
      certificate: "/tls/crt",
      key: "/tls/key",
      clientCa: "/tls/ca",
    });
    assert.equal(network?.policy.anyone, undefined);
    assert.deepEqual(
      network?.policy.certificates.map(({ name }) => name),
      ["trainer.example"],
    );
    const [token] = network?.policy.tokens ?? [];
    assert.equal(token?.digest.toString("hex"), digest);
    assert.equal(token?.expiresAt?.toISOString(), "2999-02-01T00:00:00.000Z");
  });

  it("has each of its mistakes named, with its place and what would be right", (t) => {
    const mistakes = mistakeIn(
      t,
      `
listeners:
  - address: run/a.sock
    mode: 0660
    owner: ""
    group: no-such-group
    colour: blue
    rules:
      - {to: someone, may: [load, fly], directories: [relative, "/a,/b"], namespaces: ["lla ma"]}
      - {may: []}
tokens:
  - {name: "c i", sha256: abc, expires: tomorrow}
  - {name: b, sha256: ${digest}, expires: 2027-02-31}
`,
    );
    for (const words of [
      'listeners[1].address "run/a.sock" is no address; give unix:/path',
      'listeners[1].mode: is no mode of a file; give three octal digits in quotes, as "0660"',
      'listeners[1].owner "" is no user of this machine',
      'listeners[1].group "no-such-group" is no group of this machine',
      "colour",
      "listeners[1].rules[1].to",
      'listeners[1].rules[1].may[2]: "fly" is none of load, overwrite, clear, ',
      "listeners[1].rules[1].directories[1]",
      'listeners[1].rules[1].directories[2] "/a,/b" is more than one',
      'listeners[1].rules[1].namespaces[1] "lla ma" is no namespace',
      "listeners[1].rules[2].to",
      "listeners[1].rules[2].may",
      'tokens[1].name "c i" is no name of a token',
      'tokens[1].sha256 "abc" is not 64 hexadecimal digits',
      'tokens[1].expires "tomorrow" is no date',
      'tokens[2].expires "2027-02-31" is no date',
    ])
      assert.ok(mistakes.includes(words), `${words}\nin ${mistakes}`);
  });

  const withRule = (listener: string, to: string, tokens = "") =>
    `listeners:\n  - {${listener}, rules: [{to: ${to}, may: [list]}]}\n${tokens}`;
  const tls = "tls: {certificate: /c, key: /k}";
  const token = `tokens: [{name: ci, sha256: ${digest}}]`;
  for (const [what, text, words] of [
    ["TCP that others reach", withRule('address: "0.0.0.0:1"', "anyone"), "plaintext: true"],
    [
      "a token without encryption",
      withRule('address: "0.0.0.0:1", plaintext: true', "{token: ci}", token),
      "may not travel without encryption",
    ],
    [
      "a token that is none",
      withRule("address: unix:/a", "{token: ci}"),
      'no token has the name "ci"',
    ],
    [
      "a certificate that nobody asks for",
      withRule(`address: "0.0.0.0:1", ${tls}`, "{certificate: a}"),
      "only where tls.client_ca is given",
    ],
    ["TLS on a socket", withRule(`address: unix:/a, ${tls}`, "anyone"), "is for addresses of TCP"],
    ["a mode of TCP", withRule('address: "127.0.0.1:1", mode: "0600"', "anyone"), "has no file"],
    [
      "a token twice",
      withRule(
        "address: unix:/a",
        "anyone",
        `tokens: [{name: a, sha256: ${digest}}, {name: a, sha256: ${digest}}]`,
      ),
      '"a" is there twice',
    ],
    [
      "a listener twice",
      `${withRule("address: unix:/a", "anyone")}  - {address: "unix:///a", rules: [{to: anyone, may: [list]}]}`,
      'listeners: "unix:/a" is there twice',
    ],
    [
      "a load into nowhere",
      withRule("address: unix:/a", "anyone").replace("[list]", "[load]"),
      "listeners[1].rules[1]: give directories, without which nobody may load",
    ],
    [
      "a copy from nowhere",
      withRule("address: unix:/a", "anyone").replace("[list]", "[copy]"),
      "give copy_directories",
    ],
    [
      "a key twice",
      withRule('address: unix:/a, mode: "0600", mode: "0660"', "anyone"),
      "must be unique",
    ],
    [
      "keys that are merged",
      withRule('address: unix:/a, <<: {mode: "0666"}', "anyone"),
      'Unrecognized key: "<<"',
    ],
    [
      "a tag that means something elsewhere",
      withRule("address: !env unix:/a", "anyone"),
      "Unresolved tag: !env",
    ],
    [
      "a right that is nearly one",
      withRule("address: unix:/a", "anyone").replace("[list]", "[laod]"),
      'may[1]: "laod" is none of load, overwrite, clear, save, delete, copy, cancel, list; did you mean load?',
    ],
    ["lists without end", `listeners: ${"[".repeat(20_000)}`, "cannot be read as YAML"],
    ["no YAML", "listeners: [", "cannot be read as YAML"],
    ["nothing", "", "the file"],
    ["bombs of aliases", "a: &a [1]\nlisteners: [*a, *a]", "cannot be read as YAML"],
  ] as const)
    it(`has its mistake told: ${what}`, (t) => {
      const mistake = mistakeIn(t, text);
      assert.ok(mistake.includes(words), mistake);
    });

  it("that is not there, or cannot be read, is told so", (t) => {
    const dir = mkdtempSync(join(tmpdir(), "cc-config-"));
    t.after(() => rmSync(dir, { recursive: true }));
    assert.throws(() => parseAccessFile(join(dir, "nope.yaml")), { message: "is not there" });
    assert.throws(() => parseAccessFile(dir), /^Mistake: cannot be read: EISDIR/);
  });
});
