import type { Connection, Connections } from "./connections.ts";

/** What one call takes of its connection's share. */
export interface Share {
  readonly isOver: boolean;
  /** The call began. */
  begin(): void;
  /** Its request came whole, and something is done for it. */
  work(): void;
  /** So many bytes of an answer are under way; what this returns is called when they have left. */
  unread(bytes: number): () => void;
  /** The call is over, and all that it took is free. */
  end(): void;
}

/** Begins with nothing. */
export function createShare(connections: Connections, connection: Connection): Share {
  let [begun, works, over] = [false, false, false];
  let unreadBytes = 0;
  return {
    get isOver() {
      return over;
    },
    begin() {
      begun = true;
      connections.take(connection, "calls", 1);
    },
    work() {
      if (over) return;
      works = true;
      connections.beginWork(connection);
    },
    unread(bytes) {
      if (over) return () => {};
      unreadBytes += bytes;
      connections.take(connection, "unreadBytes", bytes);
      return () => {
        if (over) return;
        unreadBytes -= bytes;
        connections.giveBack(connection, "unreadBytes", bytes);
      };
    },
    end() {
      if (over) return;
      over = true;
      connections.giveBack(connection, "unreadBytes", unreadBytes);
      if (begun) connections.giveBack(connection, "calls", 1);
      if (works) connections.endWork(connection);
    },
  };
}
