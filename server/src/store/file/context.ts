import type { Logger } from "../../domain/logger.ts";
import { type CallGate, createCallGate } from "./call-gate.ts";
import { toFileStoreError } from "./error.ts";
import { createLink, type Link } from "./naming.ts";

/** Threads that calls on the store's mount may hold at once, of the UV_THREADPOOL_SIZE there are. */
const slots = 6;
const callTimeoutMs = 30_000;

const withoutHardLinks = "has no hard links: of several savers at once the last one wins";

/** What the parts of the file store share. */
export interface FileStoreContext {
  readonly root: string;
  /** Runs a call on the store's mount as CallGate does, and throws its failure as a CacheError. */
  readonly call: CallGate["run"];
  readonly link: Link;
  /** What people should know of the mount; empty if there is nothing. */
  note(): string;
}

/** Makes the context of the store at `root`. Its first lack of hard links is logged as a warning. */
export function createFileStoreContext(root: string, logger: Logger): FileStoreContext {
  const gate = createCallGate({ slots, timeoutMs: callTimeoutMs, subject: `the store ${root}` });
  let lacksHardLinks = false;
  return {
    root,
    async call(body, options) {
      try {
        return await gate.run(body, options);
      } catch (error) {
        options?.signal?.throwIfAborted();
        throw toFileStoreError(error, root);
      }
    },
    link: createLink(() => {
      if (!lacksHardLinks) logger.warn(`the store ${withoutHardLinks}`, { store: root });
      lacksHardLinks = true;
    }),
    note: () => (lacksHardLinks ? withoutHardLinks : ""),
  };
}
