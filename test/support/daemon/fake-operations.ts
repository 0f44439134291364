import { CacheError } from "../../../server/src/domain/cache-error.ts";
import type {
  CacheOperations,
  SharedOperations,
} from "../../../server/src/operations/cache-operations.ts";
import { isFinal, type TransferState } from "../../../server/src/transfers/state.ts";
import type { Transfer } from "../../../server/src/transfers/transfer.ts";

/** A transfer that a test drives by hand. */
export class FakeTransfer implements Transfer {
  state: TransferState;
  waiters = 0;
  watchers = 0;
  detached = false;
  #changed = Promise.withResolvers<void>();

  constructor(state: Partial<TransferState> = {}) {
    this.state = {
      operationId: "op-1",
      operationName: "a load",
      kind: "LOAD",
      status: "IN_PROGRESS",
      phase: "UNPACKING",
      namespace: "default",
      cacheKey: "0123456789ab",
      startedAt: new Date(1_700_000_000_123),
      bytesDone: 0,
      bytesTotal: 0,
      filesDone: 0,
      filesTotal: 0,
      ...state,
    };
  }

  change(change: Partial<TransferState>): void {
    this.state = { ...this.state, ...change };
    this.wake();
  }

  /** Makes watchers and waiters look at the state again. */
  wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  fail(error: CacheError): void {
    this.change({ status: "ERROR", phase: "DONE", completedAt: new Date(), error });
  }

  async wait(signal = new AbortController().signal): Promise<TransferState> {
    this.waiters++;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve());
    try {
      while (!isFinal(this.state)) {
        signal.throwIfAborted();
        await Promise.race([this.#changed.promise, gone]);
      }
      return this.state;
    } finally {
      this.waiters--;
    }
  }

  detach(): void {
    this.detached = true;
  }

  async cancel(): Promise<TransferState> {
    if (!isFinal(this.state))
      this.change({ status: "CANCELLED", error: new CacheError("CANCELLED", "cancelled") });
    return this.state;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<TransferState> {
    this.watchers++;
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve());
    try {
      while (!signal.aborted) {
        const { state } = this;
        const changed = this.#changed.promise;
        yield state;
        if (isFinal(state)) return;
        if (state === this.state) await Promise.race([changed, gone]);
      }
    } finally {
      this.watchers--;
    }
  }
}

/** Operations that the test defines, for every caller; the others fail like a bug. */
export function fakeOperations(
  answers: Partial<CacheOperations & Omit<SharedOperations, "as">>,
): SharedOperations {
  const bug = (): never => {
    throw new TypeError("secret internals");
  };
  const operations = {
    load: bug,
    save: bug,
    copy: bug,
    getTransfer: bug,
    cancelTransfer: bug,
    listTransfers: bug,
    getCacheInfo: bug,
    listCaches: bug,
    deleteCache: bug,
    clearLocalCache: bug,
    ...answers,
  };
  return {
    as: () => operations,
    isWorking: () => false,
    warmUp() {},
    close: async () => {},
    ...answers,
  };
}
