import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { fakeOperations } from "../../../test/support/daemon/fake-operations.ts";
import { watchIdleness } from "./idleness.ts";

const idleMs = 1_000;

/** A watch whose time passes only as the test says, and operations that are busy as it says. */
function startFrozen(t: TestContext, ms = idleMs) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const use = { isWorking: false };
  const idleness = watchIdleness(fakeOperations({ isWorking: () => use.isWorking }), ms);
  let isIdle = false;
  idleness.idle.then(() => {
    isIdle = true;
  });
  const isIdleAfter = async (ms: number) => {
    t.mock.timers.tick(ms);
    await settle();
    return isIdle;
  };
  const connect = () => {
    const connection = new EventEmitter() as Socket;
    idleness.addConnection(connection);
    return () => connection.emit("close");
  };
  return { use, idleness, isIdleAfter, connect };
}

describe("watchIdleness", () => {
  it("tells once the whole time has passed without use, and not before", async (t) => {
    const { isIdleAfter } = startFrozen(t);
    assert.equal(await isIdleAfter(idleMs - 1), false);
    assert.equal(await isIdleAfter(1), true);
  });

  it("begins anew when the last connection has closed", async (t) => {
    const { isIdleAfter, connect } = startFrozen(t);
    assert.equal(await isIdleAfter(idleMs - 1), false);
    const [closeOne, closeOther] = [connect(), connect()];
    assert.equal(await isIdleAfter(10 * idleMs), false);
    closeOne();
    assert.equal(await isIdleAfter(10 * idleMs), false);
    closeOther();
    assert.equal(await isIdleAfter(idleMs - 1), false);
    assert.equal(await isIdleAfter(1), true);
  });

  it("begins anew while a transfer runs", async (t) => {
    const { use, isIdleAfter } = startFrozen(t);
    use.isWorking = true;
    for (let n = 0; n < 3; n++) assert.equal(await isIdleAfter(idleMs), false);
    use.isWorking = false;
    assert.equal(await isIdleAfter(idleMs - 1), false);
    assert.equal(await isIdleAfter(1), true);
  });

  it("never tells after its end, or where the time is 0", async (t) => {
    const { idleness, isIdleAfter, connect } = startFrozen(t);
    const close = connect();
    idleness.end();
    close();
    assert.equal(await isIdleAfter(10 * idleMs), false);
    t.mock.timers.reset();
    assert.equal(await startFrozen(t, 0).isIdleAfter(10 * idleMs), false);
  });
});
