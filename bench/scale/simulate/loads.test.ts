import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulateLoads } from "./loads.ts";
import {
  type Fleet,
  type LoadDemand,
  type NodeModel,
  type StoreModel,
  unbounded,
} from "./model.ts";

const megabyte = 1e6;
const fleet: Fleet = {
  pods: 1,
  podsPerNode: 8,
  isShared: false,
  spreadS: 0,
  loadDeadlineS: 1000,
};
const demand: LoadDemand = {
  openingRequests: 2,
  openingBytes: megabyte,
  dataRequests: 8,
  dataBytes: 32 * megabyte,
  window: 5,
  cpuS: 2,
  contentBytes: 700 * megabyte,
  fixedS: 0.25,
};
const store: StoreModel = {
  bandwidth: unbounded,
  requestBandwidth: unbounded,
  latencyS: 0,
  requestsPerS: unbounded,
  overload: "queue",
  callDeadlineS: unbounded,
};
const node: NodeModel = {
  bandwidth: unbounded,
  cores: 4,
  diskBandwidth: unbounded,
};
const near = (actual: number | undefined, expected: number, share = 1e-4) =>
  assert.ok(
    Math.abs((actual ?? Number.NaN) - expected) <= share * expected,
    `${actual} is not near ${expected}`,
  );

describe("simulateLoads", () => {
  it("gives one pod the unloaded time", () => {
    const narrow = { ...store, requestBandwidth: 10 * megabyte, latencyS: 0.1 };
    const whole = { ...demand, dataRequests: 1 };
    const { podsEndS, requests } = simulateLoads(fleet, whole, narrow, node);
    // Two small requests, one large, and then all of the work.
    near(podsEndS[0], 2 * (0.1 + 0.05) + (0.1 + 3.2) + 2 / 4 + 0.25);
    assert.equal(requests, 3);
  });

  it("serves the bytes that were demanded, whatever is narrow", () => {
    for (const narrow of [
      { bandwidth: 100 * megabyte },
      { requestsPerS: 20 },
      { requestsPerS: 100, overload: "refuse" as const },
      { latencyS: 0.2 },
    ]) {
      const result = simulateLoads({ ...fleet, pods: 20 }, demand, { ...store, ...narrow }, node);
      assert.equal(result.failedPods, 0);
      assert.equal(result.podsEndS.length, 20);
      near(result.servedBytes, 20 * 33 * megabyte);
      assert.equal(result.requests, 20 * 10);
    }
  });

  it("takes what the store's bandwidth allows, once that is what is narrow", () => {
    const bandwidth = 100 * megabyte;
    const { podsEndS } = simulateLoads(
      { ...fleet, pods: 400 },
      { ...demand, cpuS: 0, fixedS: 0 },
      { ...store, bandwidth },
      node,
    );
    near(podsEndS.at(-1), (400 * 33 * megabyte) / bandwidth);
  });

  it("takes what the node allows, where the store has no bounds", () => {
    const cpuBound = simulateLoads({ ...fleet, pods: 800 }, demand, store, node);
    near(cpuBound.podsEndS.at(-1), (8 * 2) / 4 + 0.25);
    const diskBound = simulateLoads({ ...fleet, pods: 800 }, demand, store, {
      ...node,
      diskBandwidth: 1000 * megabyte,
    });
    near(diskBound.podsEndS.at(-1), 8 * 0.7 + 0.25);
  });

  it("never ends earlier for more pods", () => {
    for (const overload of ["queue", "refuse"] as const) {
      let before = 0;
      for (const pods of [1, 8, 40, 100, 200]) {
        const narrow = { ...store, bandwidth: 200 * megabyte, requestsPerS: 200, overload };
        const { podsEndS, failedPods } = simulateLoads({ ...fleet, pods }, demand, narrow, node);
        assert.equal(failedPods, 0);
        const last = podsEndS.at(-1) as number;
        assert.ok(last >= before, `${pods}: ${last} < ${before}`);
        before = last;
      }
    }
  });

  it("asks once for the pods that share a daemon", () => {
    const shared = { ...fleet, pods: 20, isShared: true };
    const { podsEndS, servedBytes, requests } = simulateLoads(shared, demand, store, node);
    near(servedBytes, 3 * 33 * megabyte);
    assert.equal(requests, 3 * 10);
    assert.equal(podsEndS.length, 20);
    near(podsEndS.at(-1), 2 / 4 + 0.25);
  });

  it("fails every load that the deadline meets, and stops its transfers", () => {
    const narrow = { ...store, bandwidth: 33 * megabyte };
    const result = simulateLoads({ ...fleet, pods: 40, loadDeadlineS: 10 }, demand, narrow, node);
    assert.equal(result.causes.deadline, 40);
    near(result.servedBytes, 10 * 33 * megabyte);
  });

  it("fails a load whose read takes longer than the daemon waits", () => {
    const narrow = { ...store, bandwidth: 33 * megabyte, callDeadlineS: 5 };
    const { causes } = simulateLoads({ ...fleet, pods: 40 }, demand, narrow, node);
    assert.equal(causes.slow, 40);
  });

  it("fails loads that a store refuses for too long", () => {
    const refusing = { ...store, requestsPerS: 2, overload: "refuse" as const };
    const result = simulateLoads({ ...fleet, pods: 200 }, demand, refusing, node);
    assert.ok(result.causes.refused > 100, `${result.causes.refused}`);
    assert.ok(result.refused > 0);
    assert.equal(result.podsEndS.length + result.failedPods, 200);
  });

  it("refuses a request more often than the SDK comes back, until no byte has come for long", () => {
    const refusing = { ...store, requestsPerS: 1e-9, overload: "refuse" as const };
    const { causes, refused } = simulateLoads({ ...fleet, pods: 100 }, demand, refusing, node);
    assert.equal(causes.refused, 100);
    assert.ok(refused > 100 * 5, `${refused}`);
  });

  it("asks for no more than the window at once", () => {
    const far = { ...store, latencyS: 1 };
    const quick = { ...demand, cpuS: 0, fixedS: 0, contentBytes: 0 };
    // Eight blocks: five, then three.
    near(simulateLoads(fleet, quick, far, node).podsEndS[0], 2 + 2);
    near(simulateLoads(fleet, { ...quick, window: 2 }, far, node).podsEndS[0], 2 + 4);
  });

  it("answers no more requests than the store can", () => {
    const slow = { ...store, requestsPerS: 20 };
    const { podsEndS } = simulateLoads({ ...fleet, pods: 40 }, demand, slow, node);
    assert.ok((podsEndS.at(-1) ?? 0) >= (40 * 10) / 20);
  });

  it("helps pods that start one after the other", () => {
    const narrow = { ...store, bandwidth: 100 * megabyte };
    const ends = [0, 100].map((spreadS) => {
      const { podsEndS } = simulateLoads({ ...fleet, pods: 80, spreadS }, demand, narrow, node);
      return podsEndS.at(-1) as number;
    });
    assert.ok((ends[1] as number) < (ends[0] as number) / 5, `${ends}`);
  });
});
