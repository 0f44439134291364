import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SharedLink } from "./shared-link.ts";

describe("SharedLink", () => {
  it("gives each flow its share, and all of it to the last", () => {
    const link = new SharedLink<string>(10, 8);
    link.start(0, 8, "alone");
    link.start(0.5, 10, "late");
    // Alone at 8 until 0.5, then both at 5.
    assert.equal(link.nextAt(), 0.5 + 4 / 5);
    assert.equal(link.finish(), "alone");
    assert.equal(link.nextAt(), 1.3 + 6 / 8);
    assert.equal(link.finish(), "late");
    assert.equal(link.nextAt(), Number.POSITIVE_INFINITY);
    assert.equal(link.servedBytes, 18);
  });

  it("counts what it moved of a flow that was stopped, and frees its share", () => {
    const link = new SharedLink<string>(10, 10);
    const stopped = link.start(0, 100, "stopped");
    link.start(0, 10, "other");
    link.stop(1, stopped);
    assert.equal(link.nextAt(), 1.5);
    link.finish();
    assert.equal(link.servedBytes, 15);
  });
});
