import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { CacheServiceError } from "../cache-service-error.ts";
import { callAsSeen, identityOf, isOfThisMachine } from "./identity.ts";

function directory(t: TestContext): string {
  const made = mkdtempSync("/tmp/cc-identity-");
  t.after(() => rmSync(made, { recursive: true }));
  return made;
}

describe("identityOf", () => {
  it("is device and inode of what a path leads to", async (t) => {
    const dir = directory(t);
    const { dev, ino } = statSync(dir, { bigint: true });
    symlinkSync(dir, join(dir, "link"));
    assert.equal(await identityOf(`${dir}/link/.`), `${dev}:${ino}`);
  });

  it("says that nothing is there, or says what is above, or nothing at all", async (t) => {
    const dir = directory(t);
    assert.equal(await identityOf(`${dir}/a/b`), "0:0");
    assert.equal(await identityOf("/dev/null/x"), "0:0");
    assert.equal(await identityOf(`${dir}/a/b`, { orAbove: true }), await identityOf(dir));
    assert.equal(await identityOf(`${dir}/a`, { orUnsaid: true }), "");
    assert.equal(await identityOf(`${dir}/${"x".repeat(300)}`), "");
  });
});

describe("isOfThisMachine", () => {
  it("is true for sockets and for what only this machine reaches", () => {
    for (const near of ["unix:/a", "unix-abstract:a", "localhost:1", "127.0.0.1:1", "[::1]:1"])
      assert.ok(isOfThisMachine(near), near);
    for (const far of ["host:1", "10.0.0.1:1", "[fe80::1]:1", "localhost.evil:1", "dns:///a:1"])
      assert.ok(!isOfThisMachine(far), far);
  });
});

describe("callAsSeen", () => {
  const refusal = new CacheServiceError({
    code: "PERMISSION_DENIED",
    reason: "PATH_NOT_ALLOWED",
    message: "another one",
  });
  const refuse = (made: unknown[]) => async (seen: object) => {
    made.push(seen);
    throw refusal;
  };

  it("looks and calls again while what is seen changes, three times at most", async () => {
    let looks = 0;
    const made: unknown[] = [];
    await assert.rejects(
      callAsSeen(async () => ({ looks: ++looks }), refuse(made)),
      refusal,
    );
    assert.deepEqual(made, [{ looks: 1 }, { looks: 2 }, { looks: 3 }]);
  });

  it("calls once where what is seen stays, and for any other error", async () => {
    const made: unknown[] = [];
    await assert.rejects(
      callAsSeen(async () => ({ same: 1 }), refuse(made)),
      refusal,
    );
    let looks = 0;
    const other = new Error("other");
    const fail = () => Promise.reject(other);
    await assert.rejects(
      callAsSeen(async () => ({ looks: ++looks }), fail),
      other,
    );
    assert.deepEqual([made.length, looks], [1, 1]);
  });
});
