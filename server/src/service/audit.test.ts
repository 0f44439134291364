import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type LogLine, recordingLogger } from "../../../test/support/recording-logger.ts";
import { CacheError } from "../domain/cache-error.ts";
import { createAudit } from "./audit.ts";

function start() {
  const lines: LogLine[] = [];
  return { lines, audit: createAudit(recordingLogger(lines)) };
}

const forbidden = new CacheError("FORBIDDEN", "the token ci lacks the right to delete");

describe("the audit log", () => {
  it("says who did what, where, and how it came out", () => {
    const { lines, audit } = start();
    const request = { namespace: "llama", localDir: "/cache", detach: false, cacheKey: "" };
    const call = audit("Load", request, "10.0.0.7:4711");
    call.by("the token ci");
    call.started("op-1");
    call.done();
    const [line] = lines;
    assert.equal(line?.level, "info");
    assert.deepEqual(line?.fields, {
      audit: "Load",
      who: "the token ci",
      peer: "10.0.0.7:4711",
      namespace: "llama",
      local_dir: "/cache",
      operation_id: "op-1",
      outcome: "ok",
    });
  });

  it("says little of those who only look", () => {
    const { lines, audit } = start();
    for (const method of ["GetTransfer", "ListCaches", "WatchTransfer"])
      audit(method, {}, "").done();
    assert.deepEqual(new Set(lines.map(({ level }) => level)), new Set(["debug"]));
  });

  it("warns of refusals, up to a number each minute, and then says how many more", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { lines, audit } = start();
    for (let n = 0; n < 50; n++) audit("DeleteCache", {}, "").failed(forbidden);
    assert.equal(lines.filter(({ level }) => level === "warn").length, 20);
    t.mock.timers.tick(60_000);
    assert.deepEqual(lines.at(-1)?.fields, { count: 30 });
    audit("DeleteCache", {}, "").failed(forbidden);
    assert.equal(lines.at(-1)?.fields?.outcome, "FORBIDDEN");
  });
});
