import { AsyncLocalStorage } from "node:async_hooks";
import type { Socket } from "node:net";
import type { Logger } from "../domain/logger.ts";

/** What a connection has of what all of them share. */
export interface Shares {
  /** Calls that have begun and are not over, answer and all. */
  calls: number;
  /** Bytes of answers that have not left, because the caller does not read. */
  unreadBytes: number;
}

/** A client's connection, and what it costs. */
export interface Connection extends Shares {
  /** Whose it is: an address, or `unix` for any process of this machine. */
  readonly peer: string;
  /** How many of its calls do something: their requests came whole, and they are not over. */
  working: number;
  /** Ends it with all its calls. */
  close(): void;
}

/** All open connections, of which there are never too many. */
export interface Connections {
  /** Takes a connection and calls `accept`, or closes it, where there are too many. */
  add(socket: Socket, accept: () => void): void;
  /** The connection that the present call came by. */
  current(): Connection;
  /** Adds to a connection's share, and closes the connection that holds most where all hold too much. */
  take(connection: Connection, share: keyof Shares, amount: number): void;
  /** The same amount again, once it is free. */
  giveBack(connection: Connection, share: keyof Shares, amount: number): void;
}

/** The most that all connections may hold together. */
const mostInAll: Readonly<Shares> = { calls: 4096, unreadBytes: 64 * 1024 * 1024 };
/** A flood is told of this often. */
const warningPauseMs = 60_000;

/**
 * Makes an empty set of at most `most` connections. Who holds most gives way: where there is no room,
 * the connection closes that has been without work for longest, among the newcomer's own peer's if
 * those are half of all. So a client that calls is let in, whatever others keep open.
 */
export function createConnections(most: number, logger: Logger): Connections {
  const context = new AsyncLocalStorage<Connection>();
  /** Those without work come first in the order in which they lost it. */
  const open = new Set<Connection>();
  const ofPeer = new Map<string, number>();
  const inAll: Shares = { calls: 0, unreadBytes: 0 };
  const warn = createRareWarning(logger);

  const largest = (share: keyof Shares) => {
    let found: Connection | undefined;
    for (const connection of open)
      if (!found || connection[share] > found[share]) found = connection;
    return found;
  };

  const makeRoomFor = (peer: string): boolean => {
    const own = ofPeer.get(peer) ?? 0;
    const isHog = own >= most / 2;
    for (const connection of open) {
      if (connection.working > 0 || (isHog && connection.peer !== peer)) continue;
      forget(connection);
      connection.close();
      return true;
    }
    return false;
  };

  const forget = (connection: Connection) => {
    if (!open.delete(connection)) return;
    const { peer } = connection;
    const others = (ofPeer.get(peer) ?? 0) - 1;
    if (others > 0) ofPeer.set(peer, others);
    else ofPeer.delete(peer);
    for (const share of ["calls", "unreadBytes"] as const) inAll[share] -= connection[share];
  };

  return {
    add(socket, accept) {
      const peer = socket.remoteAddress ?? "unix";
      if (open.size >= most) {
        warn("there are as many connections as may be open", { most, peer });
        if (!makeRoomFor(peer)) {
          socket.destroy();
          return;
        }
      }
      let working = 0;
      const connection: Connection = {
        peer,
        calls: 0,
        unreadBytes: 0,
        get working() {
          return working;
        },
        set working(now) {
          working = now;
          // The last to lose its work is the last to give way.
          if (now === 0 && open.delete(connection)) open.add(connection);
        },
        close: () => socket.destroy(),
      };
      open.add(connection);
      ofPeer.set(peer, (ofPeer.get(peer) ?? 0) + 1);
      socket.once("close", () => forget(connection));
      context.run(connection, accept);
    },

    current() {
      const connection = context.getStore();
      if (!connection) throw new Error("a call came by no connection");
      return connection;
    },

    take(connection, share, amount) {
      connection[share] += amount;
      if (!open.has(connection)) return;
      inAll[share] += amount;
      if (inAll[share] <= mostInAll[share]) return;
      const hog = largest(share);
      if (!hog) return;
      warn("a connection is closed, for it holds more than any other", {
        peer: hog.peer,
        calls: hog.calls,
        unread_bytes: hog.unreadBytes,
      });
      forget(hog);
      hog.close();
    },

    giveBack(connection, share, amount) {
      connection[share] -= amount;
      if (open.has(connection)) inAll[share] -= amount;
    },
  };
}

function createRareWarning(logger: Logger): Logger["warn"] {
  let quietUntil = 0;
  return (message, fields) => {
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + warningPauseMs;
    logger.warn(message, fields);
  };
}
