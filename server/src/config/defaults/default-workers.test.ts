import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultWorkers, mostWorkers } from "./default-workers.ts";

const GiB = 1024 ** 3;

describe("the default number of workers", () => {
  it("is that of the CPUs where there is memory enough", () => {
    assert.equal(defaultWorkers(2, 24 * GiB), 2);
    assert.equal(defaultWorkers(128, 1024 * GiB), 128);
    assert.equal(defaultWorkers(1000, 1024 * GiB), mostWorkers);
  });

  it("is as many as fit into a quarter of the memory", () => {
    assert.equal(defaultWorkers(128, 4 * GiB), 16);
    assert.equal(defaultWorkers(128, GiB / 2), 2);
  });

  it("is never 0", () => {
    assert.equal(defaultWorkers(128, GiB / 8), 1);
  });
});
