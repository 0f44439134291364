import type { Config } from "./config/settings.ts";
import { s3OptionsOf, signingOf } from "./config/store-options.ts";
import type { Logger } from "./domain/logger.ts";
import { Trust } from "./signing/trust.ts";
import { openStore } from "./store/open-store.ts";
import type { UpkeepContext } from "./upkeep/context.ts";
import { createWorkers } from "./workers/workers.ts";

/** What upkeep works with, open until the end of the block that holds it. */
export interface OpenUpkeep extends AsyncDisposable {
  readonly context: UpkeepContext;
}

/** Opens the store of a configuration, which must be there, beside whatever daemons work on it. */
export async function openUpkeep(
  config: Config,
  logger: Logger,
  signal: AbortSignal,
): Promise<OpenUpkeep> {
  const store = await openStore(config.store, logger, {
    s3: s3OptionsOf(config),
    // An empty one in the place of one that is not mounted would pass for a store without caches.
    file: { isMade: false },
  });
  const workers = createWorkers({ threads: 1, nice: config.saveNice });
  const { maxArchiveBytes, maxContentBytes, maxFileCount } = config;
  const context = {
    store,
    work: workers.under(signal),
    limits: { maxArchiveBytes, maxContentBytes, maxFileCount },
    trust: new Trust(signingOf(config)),
    logger,
  };
  return { context, [Symbol.asyncDispose]: () => workers.close() };
}
