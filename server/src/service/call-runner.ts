import { type CacheError, toCacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import type { CacheOperations, SharedOperations } from "../operations/cache-operations.ts";
import type { Audit } from "./audit.ts";
import type { PeerCaller } from "./bounds/call-gate.ts";

/** The metadata, or header, that names the transfer of a Load or Save before its answer comes. */
export const operationIdKey = "compilecache-operation-id";

/** A call that was let in. */
export interface BegunCall {
  /** As its caller may use them. */
  readonly operations: CacheOperations;
  /** Says which transfer the call has started or joined. */
  started(operationId: string): void;
  /**
   * Counts the work of the call until it ends, and tells of it. What this returns ends as `work` does, and
   * fails with a CacheError.
   */
  ended<Result>(work: Promise<Result>): Promise<Result>;
}

/** What calls of every protocol have in common: they are made as their caller, audited and counted. */
export interface CallRunner {
  begin(method: string, request: unknown, from: PeerCaller): BegunCall;
  /** Resolves when no call is running. */
  drained(): Promise<void>;
}

/** Begins with no call. */
export function createCallRunner(options: {
  operations: SharedOperations;
  audit: Audit;
  logger: Logger;
}): CallRunner {
  const { operations, audit, logger } = options;
  let underWay = 0;
  let drained = Promise.withResolvers<void>();
  drained.resolve();
  return {
    begin(method, request, { caller, peer }) {
      const audited = audit(method, request, peer);
      audited.by(caller.name);
      const failure = (thrown: unknown): CacheError => {
        const error = toCacheError(thrown);
        if (error.reason === "INTERNAL")
          logger.error("a call failed on a bug", { method, error: error.cause ?? error });
        else audited.failed(error);
        return error;
      };
      return {
        operations: operations.as(caller),
        started: audited.started,
        async ended(work) {
          if (underWay === 0) drained = Promise.withResolvers();
          underWay += 1;
          try {
            const result = await work;
            audited.done();
            return result;
          } catch (error) {
            throw failure(error);
          } finally {
            underWay -= 1;
            if (underWay === 0) drained.resolve();
          }
        },
      };
    },
    drained: () => drained.promise,
  };
}
