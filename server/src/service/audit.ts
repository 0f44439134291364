import type { CacheError, Reason } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";

/** Calls that only look are worth a line to those who ask for more of them. */
const looking = /^(Get|List|Watch)/;
const refusals: readonly Reason[] = ["UNAUTHENTICATED", "FORBIDDEN", "PATH_NOT_ALLOWED"];

/** How many refusals are logged each minute: who is refused could fill the disk with them. */
const mostRefusals = 20;
const windowMs = 60_000;

/** One call, as the log tells of it: who did what, where, and how it came out. */
export interface AuditedCall {
  /** Says who calls, once that is known. */
  by(name: string): void;
  /** Says which transfer the call has started or joined; the log has its end under the same id. */
  started(operationId: string): void;
  done(): void;
  failed(error: CacheError): void;
}

/** Begins the line of a call. `peer` is its address, or a word for what has none. */
export type Audit = (method: string, request: unknown, peer: string) => AuditedCall;

/** Logs each call when it ends: those that change something at `info`, refusals at `warn`. */
export function createAudit(logger: Logger): Audit {
  const mayRefuse = createRefusalLimit(logger);
  return (method, request, peer) => {
    let who = "nobody known";
    let operation: { operation_id?: string } = {};
    const fields = (outcome: string) => ({
      audit: method,
      who,
      ...(["", "unix", "unknown"].includes(peer) ? {} : { peer }),
      ...placeIn(request),
      ...operation,
      outcome,
    });
    return {
      by: (name) => {
        who = name;
      },
      started: (operationId) => {
        operation = { operation_id: operationId };
      },
      done: () =>
        logger[looking.test(method) ? "debug" : "info"]("a call was served", fields("ok")),
      failed: ({ reason, message }) => {
        const told = { ...fields(reason), explanation: message };
        // A transfer that has started tells of its failure itself.
        const isTold = "operation_id" in operation;
        if (isTold || !refusals.includes(reason)) logger.debug("a call failed", told);
        else if (mayRefuse()) logger.warn("a call was refused", told);
      },
    };
  };
}

/** Where a call works, by what its request names. */
function placeIn(request: unknown): Record<string, string> {
  const { namespace, cacheKey, localDir, source, destination, operationId } = request as Record<
    string,
    unknown
  >;
  const named = {
    namespace,
    cache_key: cacheKey,
    local_dir: localDir,
    source,
    destination,
    operation_id: operationId,
  };
  return Object.fromEntries(
    Object.entries(named).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1] !== "",
    ),
  );
}

/** Allows some refusals a minute, and then says how many there were more. */
function createRefusalLimit(logger: Logger): () => boolean {
  let count = 0;
  return () => {
    count += 1;
    if (count === 1)
      setTimeout(() => {
        if (count > mostRefusals)
          logger.warn("more calls were refused than are logged", { count: count - mostRefusals });
        count = 0;
      }, windowMs).unref();
    return count <= mostRefusals;
  };
}
