import { type Caller, holdsIn, type Rule, rulesFor } from "../access/caller.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { ArchiveFormat } from "../domain/cache-id.ts";
import type { Limits } from "../domain/limits.ts";
import type { Logger } from "../domain/logger.ts";
import { folderOfNamespace } from "../domain/namespace.ts";
import type { Origin } from "../domain/origin.ts";
import { defaultProfile, type Profiles } from "../domain/profile.ts";
import { type FlowContext, uncancelled } from "../flows/context.ts";
import { copy } from "../flows/copy.ts";
import { openLocal } from "../flows/held-directories.ts";
import { load } from "../flows/load.ts";
import { logSpared } from "../flows/log-spared.ts";
import { refresh } from "../flows/save/refresh.ts";
import { save } from "../flows/save/save.ts";
import {
  archiveNames,
  describeAll,
  describeStored,
  listCacheArchives,
} from "../flows/stored-archives.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { Trust } from "../signing/trust.ts";
import type { ArchiveName, B10Archives, Store } from "../store/store.ts";
import { createDirectoryQueue } from "../transfers/directory-queue.ts";
import { pageOf } from "../transfers/page.ts";
import { createTransferRegistry } from "../transfers/registry.ts";
import type { TransferState } from "../transfers/state.ts";
import type { Transfer } from "../transfers/transfer.ts";
import { createWorkers, type DaemonWorkers } from "../workers/workers.ts";
import type {
  CacheOperations,
  LoadSpec,
  LocalDirSpec,
  SaveSpec,
  SharedOperations,
} from "./cache-operations.ts";
import { createRequestParser } from "./request-parser.ts";
import { requireSame, type SeenPath } from "./same-directory.ts";
import { mayKnowAll, transferWithoutOthers, withoutOthers } from "./without-others.ts";

export interface CacheOperationsOptions {
  readonly store: Store;
  /** The daemon's own local directory. */
  readonly localDir: string;
  readonly archiveFormat: ArchiveFormat;
  readonly limits: Limits;
  /** Which files travel, by the names that saves may give. */
  readonly profiles: Profiles;
  /** How many new files or bytes, in percent of the stored ones, make a refresh worth it. */
  readonly refreshMinPercent: number;
  /** Number of worker threads of each pool. */
  readonly workers: number;
  /** How long worker threads outlast their work, in milliseconds. */
  readonly workerIdleMs: number;
  /** Priority of saves and copies, 0 to 19; larger is lower. */
  readonly saveNice: number;
  /** What archives say of who saved them. */
  readonly origin: Origin;
  /** Who signs what is saved, and whose signatures count. */
  readonly trust: Trust;
  /** Absent: archives of b10-transfer are not looked for. */
  readonly b10Archives?: B10Archives | undefined;
  readonly logger: Logger;
}

/** How many threads of each priority wait for work: a thread takes longer to start than a small cache to save. */
const staying = 1;

/** Puts the flows together: all that the daemon can do, over one store. */
export function createCacheOperations(options: CacheOperationsOptions): SharedOperations {
  const { store, trust, logger } = options;
  const { workers: threads, workerIdleMs: idleMs, saveNice } = options;
  const foreground = createWorkers({ threads, nice: 0, idleMs, staying });
  const background = createWorkers({ threads, nice: saveNice, idleMs, staying });
  const contextOf = (workers: DaemonWorkers, logger: Logger): FlowContext => {
    return { ...options, workers, logger };
  };
  const directoryQueue = createDirectoryQueue();
  const registry = createTransferRegistry({ logger, directoryQueue });

  const parserOf = createRequestParser({ ...options, storeDir: store.directory });

  const readStore = (signal: AbortSignal) => ({
    ...{ store, trust },
    work: foreground.under(signal),
  });

  const requireSeen = (seen: SeenPath, signal: AbortSignal) =>
    requireSame(foreground, seen, signal);
  const requireSameLocalDir = (path: AllowedPath, spec: LocalDirSpec, signal: AbortSignal) =>
    requireSeen({ field: "local_dir", path, identity: spec.localDirIdentity }, signal);

  const as = (caller: Caller): CacheOperations => {
    const parse = parserOf(caller);
    const knowsAll = mayKnowAll(caller);
    const shown = (transfer: Transfer) => (knowsAll ? transfer : transferWithoutOthers(transfer));
    return {
      async load(spec: LoadSpec, signal) {
        const target = parse.load(spec);
        await requireSameLocalDir(target.localDir, spec, signal);
        const { namespace, cacheKey, localDir, policy } = target;
        const transfer = registry.start({
          kind: "LOAD",
          operationName: `load ${namespace}/${cacheKey}`,
          namespace,
          cacheKey,
          targetKey: JSON.stringify(["LOAD", localDir.path, namespace, cacheKey, policy]),
          directories: [localDir.path],
          flow: (signal, logger) => load(contextOf(foreground, logger), target, signal),
        });
        return shown(transfer);
      },

      async save(spec: SaveSpec, signal) {
        const target = parse.save(spec);
        await requireSameLocalDir(target.localDir, spec, signal);
        const { namespace, cacheKey, localDir, policy } = target;
        return registry.start({
          kind: "SAVE",
          operationName: `save ${namespace}/${cacheKey}`,
          namespace,
          cacheKey,
          targetKey: JSON.stringify([
            "SAVE",
            localDir.path,
            namespace,
            cacheKey,
            policy,
            spec.profile || defaultProfile,
          ]),
          // Saves of one cache take turns, so that all but the first find it stored and skip.
          directories: [localDir.path, `store:/${folderOfNamespace(namespace)}/${cacheKey}`],
          flow: (signal, logger) =>
            (policy === "REFRESH" ? refresh : save)(contextOf(background, logger), target, signal),
        });
      },

      async copy(spec, signal) {
        const { operationName, ...target } = parse.copy(spec);
        const { source, destination } = target;
        const ofSource = { field: "source", path: source, identity: spec.sourceIdentity };
        await requireSeen(ofSource, signal);
        const identity = spec.destinationIdentity;
        const ofDestination = { field: "destination", path: destination, identity, orAbove: true };
        await requireSeen(ofDestination, signal);
        return registry.start({
          kind: "COPY",
          operationName,
          namespace: "",
          cacheKey: "",
          directories: [target.source.path, target.destination.path],
          flow: (signal, logger) => copy(contextOf(background, logger), target, signal),
        });
      },

      getTransfer: (operationId) => shown(registry.get(operationId)),

      async cancelTransfer(operationId) {
        const rules = rulesFor(caller, "cancel");
        const transfer = registry.get(operationId);
        if (!rules.some((rule) => isAbout(transfer.state, rule)))
          throw new CacheError("FORBIDDEN", `${caller.name} has no right to cancel this transfer`);
        return shown(transfer).cancel();
      },

      listTransfers(options) {
        const rules = rulesFor(caller, "list");
        const isVisible = (state: TransferState) => rules.some((rule) => isAbout(state, rule));
        const { items, nextPageToken } = registry.list(options, isVisible);
        return { items: knowsAll ? items : items.map(withoutOthers), nextPageToken };
      },

      async getCacheInfo(spec, signal) {
        const target = parse.info(spec);
        await requireSameLocalDir(target.localDir, spec, signal);
        await using directory = await openLocal(foreground, target.localDir, signal);
        const local = directory
          ? await directory.workers.under(signal).measureDirectory(directory.opened.fd)
          : { fileCount: 0, bytes: 0 };
        const stored = await describeStored(readStore(signal), target, signal);
        return {
          environmentKey: target.environmentKey,
          cacheKey: target.cacheKey,
          localExists: (directory?.opened.holdsFiles ?? false) && !directory?.opened.notLoaded,
          localBytes: local.bytes,
          localFileCount: local.fileCount,
          ...(stored ? { stored } : {}),
          store: store.url,
          storeNote: store.note?.() ?? "",
        };
      },

      async listCaches(spec, signal) {
        const { namespace, currentCacheKey, page, shows } = parse.listCaches(spec);
        const found = await listCacheArchives(store, namespace, signal);
        const names = found.filter(({ namespace }) => shows(namespace));
        // In the order of the names: no character of a namespace comes before the one between.
        const keyOf = ({ namespace, filename }: ArchiveName) => `${namespace}\0${filename}`;
        const { items, nextPageToken } = pageOf(names, keyOf, page);
        return {
          items: await describeAll(readStore(signal), items, signal),
          nextPageToken,
          currentCacheKey,
        };
      },

      async deleteCache(id, signal) {
        const cache = parse.deletion(id);
        let removed = false;
        for (const name of archiveNames(cache))
          removed = (await store.remove(name, signal)) || removed;
        if (removed)
          logger.info("deleted a cache", { namespace: cache.namespace, cache_key: cache.cacheKey });
        else
          throw new CacheError(
            "CACHE_NOT_FOUND",
            `the store holds no cache ${cache.namespace}/${cache.cacheKey}`,
          );
      },

      async clearLocalCache(spec, signal) {
        const localDir = parse.clearing(spec);
        await requireSameLocalDir(localDir, spec, signal);
        return directoryQueue.run([localDir.path], signal, async () => {
          await using directory = await openLocal(foreground, localDir, signal);
          if (!directory) return { bytes: 0, fileCount: 0 };
          const work = directory.workers.under(uncancelled);
          const { spared, ...removed } = await work.clearDirectory(directory.opened);
          logSpared(logger, localDir.path, spared);
          return removed;
        });
      },
    };
  };
  return {
    as,
    isWorking: () => registry.isWorking(),
    warmUp() {
      foreground.warmUp();
      background.warmUp();
    },
    async close(graceMs) {
      await registry.close(graceMs);
      await Promise.all([foreground.close(), background.close()]);
    },
  };
}

/** Whether a rule is about a transfer: a copy, which has no namespace, may hold those of all. */
function isAbout({ kind, namespace }: TransferState, rule: Rule): boolean {
  return kind === "COPY" ? rule.namespaces === undefined : holdsIn(namespace, rule);
}
