import type { Socket } from "node:net";
import type { SharedOperations } from "../operations/cache-operations.ts";

/** Notices when the daemon is no longer in use. */
export interface Idleness {
  /** Counts a connection until it closes. */
  addConnection(connection: Socket): void;
  /** Resolves when there has been no connection and no running transfer for the whole time. */
  readonly idle: Promise<void>;
  /** Stops watching; an `idle` that is pending never resolves. */
  end(): void;
}

/** Starts to wait for `idleMs` without use; with 0, `idle` never resolves. */
export function watchIdleness(operations: SharedOperations, idleMs: number): Idleness {
  const { promise: idle, resolve } = Promise.withResolvers<void>();
  let connections = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended = idleMs === 0;

  const startTimer = () => {
    clearTimeout(timer);
    if (ended || connections > 0) return;
    timer = setTimeout(() => {
      // A detached transfer runs without a connection; the time starts again.
      if (operations.isWorking()) startTimer();
      else resolve();
    }, idleMs);
  };
  startTimer();

  return {
    idle,
    addConnection(connection) {
      connections += 1;
      clearTimeout(timer);
      connection.once("close", () => {
        connections -= 1;
        startTimer();
      });
    },
    end() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
