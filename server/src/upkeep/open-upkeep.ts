import type { Config } from "../config/settings.ts";
import type { Logger } from "../domain/logger.ts";
import { Trust } from "../signing/trust.ts";
import { openStore } from "../store/open-store.ts";
import { createWorkers } from "../workers/workers.ts";
import type { UpkeepContext } from "./context.ts";

/** What upkeep works with, open until the end of the block that holds it. */
export interface OpenUpkeep extends AsyncDisposable {
  readonly context: UpkeepContext;
}

/** Opens the store of a configuration, beside whatever daemons work on it. */
export async function openUpkeep(
  config: Config,
  logger: Logger,
  signal: AbortSignal,
): Promise<OpenUpkeep> {
  const { s3Anonymous, s3Sse, s3SseKmsKeyId } = config;
  const key = s3SseKmsKeyId ? { keyId: s3SseKmsKeyId } : {};
  const store = await openStore(config.store, logger, {
    isAnonymous: s3Anonymous,
    ...(s3Sse ? { encryption: { algorithm: s3Sse, ...key } } : {}),
  });
  const workers = createWorkers({ threads: 1, nice: config.saveNice });
  const { maxArchiveBytes, maxContentBytes, maxFileCount } = config;
  const context = {
    store,
    work: workers.under(signal),
    limits: { maxArchiveBytes, maxContentBytes, maxFileCount },
    trust: new Trust({ key: config.signingKey, trusted: config.trustedKeys }),
    logger,
  };
  return { context, [Symbol.asyncDispose]: () => workers.close() };
}
