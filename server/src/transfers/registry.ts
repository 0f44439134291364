import { randomUUID } from "node:crypto";
import { settlesWithin } from "../async/settles-within.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import type { DirectoryQueue } from "./directory-queue.ts";
import { type Page, type PageSpec, pageOf, parsePage } from "./page.ts";
import { RunningTransfer } from "./running-transfer.ts";
import { type Flow, isFinal, type TransferKind, type TransferState } from "./state.ts";
import type { Transfer } from "./transfer.ts";
import { createWatchScheduler } from "./watch-scheduler.ts";

/** What is to be transferred. */
export interface TransferStart {
  readonly kind: TransferKind;
  readonly operationName: string;
  readonly namespace: string;
  readonly cacheKey: string;
  /** Requests with the same key share one transfer while it runs. Absent: never shared. */
  readonly targetKey?: string;
  /** Canonical paths of the directories that it works on, or other names in the form of paths. */
  readonly directories: readonly string[];
  /** The work; it stops when the signal aborts. The logger names the operation in each line. */
  readonly flow: (signal: AbortSignal, logger: Logger) => Flow;
}

/** The transfers that run, and those that ended lately. */
export interface TransferRegistry {
  /**
   * Joins the running transfer of the same target, or starts one. Throws SHUTTING_DOWN, and OVERLOADED
   * where very many run or wait.
   */
  start(what: TransferStart): Transfer;
  /** Throws TRANSFER_NOT_FOUND. */
  get(operationId: string): Transfer;
  /** Those that run or wait, or all that are known, of those that `shows` picks; newest first. */
  list(
    spec: PageSpec & { readonly includeFinished: boolean },
    shows?: (state: TransferState) => boolean,
  ): Page<TransferState>;
  /** Whether any runs or waits. */
  isWorking(): boolean;
  /**
   * Takes no more, gives running transfers `graceMs` to end, then stops them and waits 3 s at most: a
   * dead mount may never let one end.
   */
  close(graceMs: number): Promise<void>;
}

/** How long, and how many, finished transfers can be asked about. */
const keptForMs = 24 * 3_600_000;
const keptAtMost = 1_000;

/** How many may run or wait: each is looked at whenever a directory is free. */
const activeAtMost = 1_000;

/** How long the close waits for what it stopped. */
const stopWaitMs = 3_000;

export function createTransferRegistry(options: {
  logger: Logger;
  directoryQueue: DirectoryQueue;
}): TransferRegistry {
  const { logger, directoryQueue } = options;
  const watching = createWatchScheduler();
  const transfers = new Map<string, { transfer: RunningTransfer; order: number }>();
  const byTarget = new Map<string, RunningTransfer>();
  const finished: RunningTransfer[] = [];
  let closing = false;
  let started = 0;

  const forgetOld = () => {
    const oldest = Date.now() - keptForMs;
    for (;;) {
      const [first] = finished;
      const isOld = first && (first.state.completedAt?.getTime() ?? 0) < oldest;
      if (!first || (finished.length <= keptAtMost && !isOld)) return;
      finished.shift();
      transfers.delete(first.state.operationId);
    }
  };

  const begin = (what: TransferStart): RunningTransfer => {
    if (transfers.size - finished.length >= activeAtMost)
      throw new CacheError(
        "OVERLOADED",
        `${activeAtMost} transfers run or wait already; try again when some have ended`,
      );
    const operationId = randomUUID();
    const log = logger.child({ operation_id: operationId });
    const transfer = new RunningTransfer(firstState(what, operationId), watching, log);
    transfers.set(operationId, { transfer, order: ++started });
    log.info(`${what.operationName} started`, { directories: what.directories });
    directoryQueue
      .run(what.directories, transfer.signal, () => transfer.run(what.flow(transfer.signal, log)))
      .catch((error) => transfer.fail(error));
    transfer.ended.then(() => {
      finished.push(transfer);
      forgetOld();
    });
    return transfer;
  };

  const beginShared = (what: TransferStart, targetKey: string): RunningTransfer => {
    const transfer = begin(what);
    byTarget.set(targetKey, transfer);
    transfer.ended.then(() => {
      if (byTarget.get(targetKey) === transfer) byTarget.delete(targetKey);
    });
    return transfer;
  };

  return {
    start(what) {
      if (closing) throw new CacheError("SHUTTING_DOWN", "the daemon is shutting down");
      if (what.targetKey === undefined) return begin(what);
      const running = byTarget.get(what.targetKey);
      // A transfer that is being stopped takes no new callers.
      const isJoinable = running && !running.signal.aborted && !isFinal(running.state);
      return isJoinable ? running : beginShared(what, what.targetKey);
    },

    get(operationId) {
      forgetOld();
      const found = transfers.get(operationId);
      if (found) return found.transfer;
      throw new CacheError(
        "TRANSFER_NOT_FOUND",
        `there is no transfer ${JSON.stringify(operationId)}: ids last as long as the daemon`,
      );
    },

    list({ includeFinished, ...page }, shows = () => true) {
      const asked = parsePage(page);
      forgetOld();
      const listed = [...transfers.values()]
        .reverse()
        .filter(({ transfer: { state } }) => (includeFinished || !isFinal(state)) && shows(state));
      const { items, nextPageToken } = pageOf(listed, ({ order }) => descending(order), asked);
      return { items: items.map(({ transfer }) => transfer.state), nextPageToken };
    },

    isWorking: () => [...transfers.values()].some(({ transfer }) => !isFinal(transfer.state)),

    async close(graceMs) {
      closing = true;
      const all = [...transfers.values()].map(({ transfer }) => transfer);
      const ended = Promise.all(all.map((transfer) => transfer.ended));
      if (await settlesWithin(ended, graceMs)) return;
      const reason = new CacheError("CANCELLED", "the daemon is shutting down");
      for (const transfer of all) transfer.stop(reason);
      if (await settlesWithin(ended, stopWaitMs)) return;
      for (const { state } of all)
        if (!isFinal(state))
          logger.error(`${state.operationName} does not stop`, { operation_id: state.operationId });
    },
  };
}

function firstState(what: TransferStart, operationId: string): TransferState {
  const { kind, operationName, namespace, cacheKey } = what;
  return {
    operationId,
    operationName,
    kind,
    status: "NOT_STARTED",
    phase: "WAITING",
    namespace,
    cacheKey,
    startedAt: new Date(),
    bytesDone: 0,
    bytesTotal: 0,
    filesDone: 0,
    filesTotal: 0,
  };
}

/** A text that sorts ascending where the number sorts descending. */
function descending(order: number): string {
  return String(Number.MAX_SAFE_INTEGER - order).padStart(16, "0");
}
