import { AsyncLocalStorage } from "node:async_hooks";
import type { Socket } from "node:net";
import type { CallerCertificate } from "../../access/caller-certificate.ts";
import type { Logger } from "../../domain/logger.ts";

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
  /** What its bytes come by, encrypted or not. */
  readonly socket: Socket;
  /** The certificate that its other side has proven to hold, if one was asked for. */
  certificate?: CallerCertificate;
}

/** All open connections, of which there are never too many. */
export interface Connections {
  /** Takes a connection and has it proceed, or closes it, where there are too many. */
  add(socket: Socket, proceed: () => void): void;
  /** The connection by which what happens now has come. */
  current(): Connection;
  /** Adds to a connection's share, and closes the connection that holds most where all hold too much. */
  take(connection: Connection, share: keyof Shares, amount: number): void;
  /** The same amount again, once it is free. */
  giveBack(connection: Connection, share: keyof Shares, amount: number): void;
  /** One of its calls does something from now on: its request came whole. */
  beginWork(connection: Connection): void;
  /** And that call is over. */
  endWork(connection: Connection): void;
  /** Closes all that are open, whatever they work on. */
  closeAll(): void;
}

/** The most that all connections may hold together. */
const mostInAll: Readonly<Shares> = { calls: 4096, unreadBytes: 64 * 1024 * 1024 };
/** A flood is told of this often. */
const warningPauseMs = 60_000;

/**
 * Makes an empty set of at most `most` connections. Who holds most gives way: where there is no room,
 * a connection without work closes: one that never had any, else the one that has been without for
 * longest, and of the newcomer's own peer if that holds half of all. So a client that calls is let in,
 * whatever others keep open.
 */
export function createConnections(most: number, logger: Logger): Connections {
  const context = new AsyncLocalStorage<Connection>();
  /** All, with the number of calls that each works on. */
  const open = new Map<Connection, number>();
  /** Those that never had work, oldest first. */
  const silent = new Set<Connection>();
  /** Those that have none any more, in the order in which they lost it. */
  const idle = new Set<Connection>();
  const ofPeer = new Map<string, number>();
  const inAll: Shares = { calls: 0, unreadBytes: 0 };
  const warn = createRareWarning(logger);

  const largest = (share: keyof Shares) => {
    let found: Connection | undefined;
    for (const connection of open.keys())
      if (!found || connection[share] > found[share]) found = connection;
    return found;
  };

  const withoutWork = function* () {
    yield* silent;
    yield* idle;
  };

  const makeRoomFor = (peer: string): boolean => {
    const own = ofPeer.get(peer) ?? 0;
    const isHog = own >= most / 2;
    for (const connection of withoutWork()) {
      if (isHog && connection.peer !== peer) continue;
      close(connection);
      return true;
    }
    return false;
  };

  const close = (connection: Connection) => {
    forget(connection);
    connection.socket.destroy();
  };

  const forget = (connection: Connection) => {
    if (!open.delete(connection)) return;
    silent.delete(connection);
    idle.delete(connection);
    const { peer } = connection;
    const others = (ofPeer.get(peer) ?? 0) - 1;
    if (others > 0) ofPeer.set(peer, others);
    else ofPeer.delete(peer);
    for (const share of ["calls", "unreadBytes"] as const) inAll[share] -= connection[share];
  };

  return {
    closeAll() {
      for (const connection of [...open.keys()]) close(connection);
    },

    add(socket, proceed) {
      const peer = socket.remoteAddress ?? "unix";
      if (open.size >= most) {
        warn("there are as many connections as may be open", { most, peer });
        if (!makeRoomFor(peer)) {
          socket.destroy();
          return;
        }
      }
      const connection: Connection = { peer, socket, calls: 0, unreadBytes: 0 };
      open.set(connection, 0);
      silent.add(connection);
      ofPeer.set(peer, (ofPeer.get(peer) ?? 0) + 1);
      socket.once("close", () => forget(connection));
      context.run(connection, proceed);
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
      close(hog);
    },

    beginWork(connection) {
      const working = open.get(connection);
      if (working === undefined) return;
      open.set(connection, working + 1);
      silent.delete(connection);
      idle.delete(connection);
    },

    endWork(connection) {
      const working = open.get(connection);
      if (working === undefined) return;
      open.set(connection, working - 1);
      if (working === 1) idle.add(connection);
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
