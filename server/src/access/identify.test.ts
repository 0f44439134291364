import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import type { CacheError } from "../domain/cache-error.ts";
import { type Caller, createRule, holdsIn, rulesFor } from "./caller.ts";
import type { CallerCertificate } from "./caller-certificate.ts";
import { identify } from "./identify.ts";
import { defaultPolicy, type Policy } from "./policy.ts";
import { allRights, type Right, rights } from "./rights.ts";
import { parseTokens } from "./tokens.ts";

const place = { directories: [], workDir: undefined };
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function policyOf(lines: string): Policy {
  return defaultPolicy({ ...place, tokens: parseTokens(lines).tokens });
}

function attempt<Result>(work: () => Result): Result | string {
  try {
    return work();
  } catch (error) {
    return (error as CacheError).reason;
  }
}

const rightsOf = (caller: Caller) =>
  rights.filter((right) => attempt(() => rulesFor(caller, right)) !== "FORBIDDEN");

function rightsWith(policy: Policy, header: string | undefined): readonly Right[] | string {
  return attempt(() => rightsOf(identify(policy, header, undefined)));
}

const everything = rights.filter((right) => right !== "copy");

describe("callers", () => {
  test("may do everything where there are no tokens, and copy where a directory is named", () => {
    const policy = defaultPolicy({ ...place, tokens: undefined });
    assert.deepEqual(rightsWith(policy, undefined), everything);
    assert.deepEqual(rightsWith(policy, "Bearer any"), everything);
    const copying = defaultPolicy({ directories: [], workDir: "/app", tokens: undefined });
    assert.deepEqual(rightsWith(copying, undefined), rights);
  });

  test("with a token may do what the word before it says, of all its lines", () => {
    const policy = policyOf("read r1\nwrite w1\nread both\nwrite both\n");
    assert.deepEqual(rightsWith(policy, "Bearer r1"), ["load", "list"]);
    assert.deepEqual(rightsWith(policy, "bearer  w1"), everything);
    assert.deepEqual(rightsWith(policy, "Bearer both"), everything);
  });

  test("without a known bearer token are refused", () => {
    const policy = policyOf("read r1");
    const wrong = ["", "Bearer", "Bearer ", "Bearer r2", "Basic r1", "r1", "Bearer r1 x"];
    for (const header of [undefined, ...wrong])
      assert.equal(rightsWith(policy, header), "UNAUTHENTICATED", header);
  });

  test("show a token of which the file knows the digest, its name, and until when", () => {
    const policy = policyOf(
      [
        `write sha256:${sha256("hashed")} name=ci`,
        `read sha256:${sha256("past")} expires=2020-01-31`,
        `read sha256:${sha256("future")} expires=2999-12-31T00:00:00Z name=later`,
      ].join("\n"),
    );
    const callerOf = (secret: string) => identify(policy, `Bearer ${secret}`, undefined);
    assert.equal(callerOf("hashed").name, "the token ci");
    assert.equal(callerOf("future").name, "the token later");
    assert.throws(() => callerOf("past"), { reason: "UNAUTHENTICATED", message: /expired/ });
    assert.equal(rightsWith(policy, `Bearer sha256:${sha256("hashed")}`), "UNAUTHENTICATED");
  });

  test("are known by their certificates, where a rule names these", () => {
    const certificate = (name: string): CallerCertificate => ({
      isOf: (other) => other === name,
      shown: name,
    });
    const caller = { name: "trainer", rules: [createRule({ may: allRights })] };
    const policy: Policy = {
      anyone: undefined,
      tokens: [],
      certificates: [{ name: "trainer", caller }],
    };
    assert.equal(identify(policy, undefined, certificate("trainer")), caller);
    for (const other of [certificate("other"), undefined])
      assert.throws(() => identify(policy, undefined, other), { reason: "UNAUTHENTICATED" });
  });
});

test("a pattern of namespaces", () => {
  const holds = (namespace: string, ...namespaces: string[]) =>
    holdsIn(namespace, createRule({ may: allRights, namespaces }));
  for (const [namespace, pattern] of [
    ["llama", "llama"],
    ["llama", "*"],
    ["llama-8b", "llama-*"],
    ["team-a.llama", "team-*.llama"],
    ["aXbXc", "a*b*c"],
    ["ab", "a*b"],
  ] as const)
    assert.ok(holds(namespace, "none", pattern), `${namespace} ${pattern}`);
  for (const [namespace, pattern] of [
    ["llama2", "llama"],
    ["my-llama", "llama*"],
    ["a", "a*a"],
    ["abc", "a*b"],
    ["acb", "a*b*c"],
  ] as const)
    assert.ok(!holds(namespace, pattern), `${namespace} ${pattern}`);
});
