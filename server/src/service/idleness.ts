import type { Socket } from "node:net";
import type { CacheCore } from "../operations/cache-operations.ts";

/** Notices that nobody needs the daemon any more. */
export interface Idleness {
  /** Counts a connection until it closes. */
  addConnection(connection: Socket): void;
  /** Resolves once there was neither a connection nor a running transfer for the whole time. */
  readonly idle: Promise<void>;
  /** Watches no longer; `idle` stays as it is. */
  end(): void;
}

/** Watches for `idleMs` without use; 0 means for ever. */
export function watchIdleness(core: CacheCore, idleMs: number): Idleness {
  const { promise: idle, resolve } = Promise.withResolvers<void>();
  let connections = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended = idleMs === 0;

  const startTimer = () => {
    clearTimeout(timer);
    if (ended || connections > 0) return;
    timer = setTimeout(() => {
      // What was detached runs without a connection; its time starts anew.
      if (isWorking(core)) startTimer();
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

function isWorking(core: CacheCore): boolean {
  const running = core.listTransfers({ includeFinished: false, pageSize: 1, pageToken: "" });
  return running.items.length > 0;
}
