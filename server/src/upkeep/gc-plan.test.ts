import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StoredFile } from "../store/store.ts";
import { defaultGcPolicy, type GcPolicy, planGc } from "./gc-plan.ts";

const now = new Date("2026-06-01T00:00:00Z");
const dayMs = 24 * 3_600_000;
const daysAgo = (days: number) => new Date(now.getTime() - days * dayMs);

function file(
  path: string,
  age: number,
  bytes: number,
  more: Partial<StoredFile> = {},
): StoredFile {
  const [namespace = ""] = path.split("/");
  return { kind: "archive", path, namespace, bytes, modifiedAt: daysAgo(age), ...more };
}

/** Paths of what goes, in order, each with its reason. */
function planned(files: readonly StoredFile[], policy: Partial<GcPolicy>): string[] {
  return planGc({ now, files }, { ...defaultGcPolicy, ...policy }).map(
    ({ file, reason }) => `${file.path} ${reason}`,
  );
}

const [a, b, c, d] = [
  file("a/1", 40, 10),
  file("a/2", 30, 20),
  file("b/1", 20, 30),
  file("b/2", 0.01, 40),
];
const all = [d, c, b, a];

describe("a plan of what is to go", () => {
  it("is empty without bounds", () => {
    assert.deepEqual(planned(all, {}), []);
  });

  it("goes by age, and by the last use", () => {
    assert.deepEqual(planned(all, { maxAgeMs: 25 * dayMs }), ["a/1 age", "a/2 age"]);
    const used = [{ ...a, usedAt: daysAgo(1) }, b, c];
    assert.deepEqual(planned(used, { maxIdleMs: 25 * dayMs }), ["a/2 idle"]);
    assert.deepEqual(planned(used, { maxAgeMs: 35 * dayMs, maxIdleMs: 25 * dayMs }), [
      "a/1 age",
      "a/2 idle",
    ]);
  });

  it("removes what was used least recently, until the bounds hold", () => {
    assert.deepEqual(planned(all, { maxBytes: 100 }), []);
    assert.deepEqual(planned(all, { maxBytes: 99 }), ["a/1 bytes"]);
    assert.deepEqual(planned(all, { maxBytes: 70 }), ["a/1 bytes", "a/2 bytes"]);
    assert.deepEqual(planned([{ ...a, usedAt: daysAgo(1) }, b, c], { maxBytes: 59 }), [
      "a/2 bytes",
    ]);
    assert.deepEqual(planned(all, { maxFiles: 2 }), ["a/1 files", "a/2 files"]);
  });

  it("never removes what was just written, whatever the bounds", () => {
    assert.deepEqual(planned(all, { maxBytes: 0, maxFiles: 0, maxAgeMs: 0, maxIdleMs: 0 }), [
      "a/1 age",
      "a/2 age",
      "b/1 age",
    ]);
    assert.deepEqual(planned([d], { maxBytes: 0 }), []);
  });

  it("holds each namespace to the first quota that fits", () => {
    const quotas = [
      { namespaces: "b", maxBytes: 40 },
      { namespaces: "*", maxBytes: 1000 },
    ];
    assert.deepEqual(planned(all, { quotas }), ["b/1 quota"]);
  });

  it("has its own times for what was set aside or left behind", () => {
    const files = [
      file("a/.1.damaged", 8, 1, { kind: "damaged" }),
      file("a/.2.damaged", 6, 1, { kind: "damaged" }),
      file("a/.1.partial", 2, 1, { kind: "unfinished" }),
      file("a/.2.partial", 0.5, 1, { kind: "unfinished" }),
    ];
    assert.deepEqual(planned(files, {}), ["a/.1.damaged damaged", "a/.1.partial unfinished"]);
  });
});
