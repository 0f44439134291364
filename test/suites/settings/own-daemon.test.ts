// Client and command line of this language, held to the name of the daemon that Python starts; Python's
// tests read the same file.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import {
  ownDaemonDirectories,
  ownDaemonName,
} from "../../../clients/typescript/src/settings/own-daemon.ts";
import { settings } from "../../../server/src/config/settings.ts";

interface Case {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly directories?: readonly string[];
  readonly links?: Readonly<Record<string, string>>;
}

interface Vectors {
  readonly surroundings: readonly string[];
  readonly uid: number;
  readonly names: readonly (Case & {
    readonly expected?: string;
    readonly same?: string;
    readonly differing?: readonly string[];
  })[];
  /** `own`: for the user who runs the test, whose directories count. */
  readonly directories: readonly (Case & {
    readonly own?: true;
    readonly expected: readonly string[];
  })[];
  readonly settings: Readonly<
    Record<"decisive" | "of_object_stores" | "others", readonly string[]>
  >;
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL("../../vectors/own-daemon.json", import.meta.url), "utf8"),
);

const { getuid } = process;

/** Makes what surrounds a case; returns how texts are filled in. */
function arrange(t: TestContext, given: Case, root: string, uid: number) {
  for (const name of given.directories ?? []) mkdirSync(join(root, name), { recursive: true });
  for (const [name, target] of Object.entries(given.links ?? {}))
    symlinkSync(target, join(root, name));
  Object.assign(process, { getuid: () => uid });
  t.after(() => Object.assign(process, { getuid }));
  const filled = (text: string) => text.replaceAll("<root>", root).replaceAll("<uid>", String(uid));
  const variables = Object.entries(given.environment).map(([name, text]) => [name, filled(text)]);
  return { environment: Object.fromEntries(variables) as Record<string, string>, filled };
}

const nameWith = (environment: Record<string, string>) =>
  ownDaemonName(environment, vectors.surroundings).name;

test("the daemon that Python starts has one name for a store, however that is written", (t) => {
  const names = new Map<string, string>();
  const root = mkdtempSync("/tmp/cc-own-");
  t.after(() => rmSync(root, { recursive: true }));
  for (const given of vectors.names) {
    rmSync(root, { recursive: true });
    mkdirSync(root);
    names.set(given.name, nameWith(arrange(t, given, root, vectors.uid).environment));
  }
  for (const { name, expected, same, differing = [] } of vectors.names) {
    if (expected !== undefined) assert.equal(names.get(name), expected, name);
    if (same !== undefined) assert.equal(names.get(name), names.get(same), name);
    for (const other of differing) assert.notEqual(names.get(name), names.get(other), name);
  }
});

describe("its files may be in the same places", () => {
  for (const given of vectors.directories)
    test(given.name, (t) => {
      const root = mkdtempSync("/tmp/cc-own-");
      t.after(() => rmSync(root, { recursive: true }));
      const uid = given.own ? Number(process.getuid?.()) : vectors.uid;
      const { environment, filled } = arrange(t, given, root, uid);
      assert.deepEqual(ownDaemonDirectories(environment), given.expected.map(filled));
    });
});

describe("its settings", () => {
  const { decisive, of_object_stores, others } = vectors.settings;
  const changesName = (name: string, store: string) =>
    nameWith({ COMPILE_CACHE_STORE: store }) !==
    nameWith({ COMPILE_CACHE_STORE: store, [name]: "set" });

  test("are part of its name where they decide what is accepted or written", () => {
    for (const name of decisive) assert.ok(changesName(name, "file:///nowhere"), name);
    for (const name of of_object_stores) {
      assert.ok(!changesName(name, "file:///nowhere"), name);
      assert.ok(changesName(name, "s3://bucket"), name);
    }
    for (const name of others)
      if (name !== "COMPILE_CACHE_STORE") assert.ok(!changesName(name, "s3://bucket"), name);
  });

  test("are all sorted", () => {
    const sorted = new Set([...decisive, ...of_object_stores, ...others]);
    for (const { variable } of Object.values(settings)) assert.ok(sorted.has(variable), variable);
  });
});
