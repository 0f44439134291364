import type { Inventory, StoredFile } from "../store/store.ts";
import { defaultGcPolicy } from "./gc-plan.ts";

/** A damaged archive that a load set aside. */
export interface SetAside {
  readonly file: StoredFile;
  /** From when on a collector removes it. */
  readonly goesAt: Date;
}

/** Those of an inventory, of one namespace or of all. */
export function setAsideIn({ files }: Inventory, namespace?: string): SetAside[] {
  return files
    .filter((file) => file.kind === "damaged")
    .filter((file) => namespace === undefined || file.namespace === namespace)
    .map((file) => ({
      file,
      goesAt: new Date(file.modifiedAt.getTime() + defaultGcPolicy.damagedMs),
    }));
}
