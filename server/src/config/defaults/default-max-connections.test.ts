import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultMaxConnections } from "./default-max-connections.ts";

describe("defaultMaxConnections", () => {
  it("leaves descriptors for each worker, and is 1,024 at most", () => {
    assert.equal(defaultMaxConnections(4, 65_536), 1024);
    assert.equal(defaultMaxConnections(4, 1024), 1024 - 128 - 4 * 32);
    assert.equal(defaultMaxConnections(4, 256), 64);
  });

  it("reads how many files this process may open", () => {
    assert.ok(defaultMaxConnections(1) >= 1);
  });
});
