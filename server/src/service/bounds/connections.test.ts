import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import { type Connection, createConnections } from "./connections.ts";

/** Connections of which a test sees whether they are open. */
function setUp(most: number) {
  const connections = createConnections(most, recordingLogger([]));
  const add = (remoteAddress?: string) => {
    let destroyed = false;
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      destroy: () => {
        destroyed = true;
      },
    });
    let connection: Connection | undefined;
    connections.add(socket as unknown as Socket, () => {
      connection = connections.current();
    });
    return {
      isOpen: () => !destroyed,
      work: () => connections.beginWork(connection as Connection),
      take: (share: "calls" | "unreadBytes", amount: number) =>
        connections.take(connection as Connection, share, amount),
    };
  };
  return { add };
}

describe("createConnections", () => {
  it("turns a newcomer away where all work", () => {
    const { add } = setUp(2);
    const all = [add(), add()];
    for (const connection of all) connection.work();
    assert.equal(add().isOpen(), false);
    assert.ok(all.every(({ isOpen }) => isOpen()));
  });

  it("lets a peer that holds half of all displace its own connections alone", () => {
    const { add } = setUp(4);
    const [other, ...own] = [add("10.0.0.1"), add("10.0.0.2"), add("10.0.0.2"), add("10.0.0.2")];
    assert.ok(add("10.0.0.2").isOpen());
    assert.equal(other?.isOpen(), true);
    assert.deepEqual(
      own.map(({ isOpen }) => isOpen()),
      [false, true, true],
    );
  });

  it("closes the one that holds most where all hold too much", () => {
    const { add } = setUp(4);
    const [small, large, last] = [add(), add(), add()];
    small.take("unreadBytes", 1_000_000);
    large.take("unreadBytes", 60_000_000);
    last.take("unreadBytes", 8_000_000);
    assert.deepEqual(
      [small, large, last].map(({ isOpen }) => isOpen()),
      [true, false, true],
    );
    // What it held is free again.
    last.take("unreadBytes", 50_000_000);
    assert.ok(last.isOpen());
  });
});
