import { openStore } from "../../server/src/store/open-store.ts";
import type { Store } from "../../server/src/store/store.ts";
import { recordingLogger } from "./recording-logger.ts";

/** Opens the file store at a path, whose last component is made if need be. */
export function openFileStore(path: string): Promise<Store> {
  return openStore({ kind: "file", path }, recordingLogger([]));
}
