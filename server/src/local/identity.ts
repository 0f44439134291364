import { closeSync, fstatSync, lstatSync } from "node:fs";
import type { AllowedPath } from "./allowed-dirs.ts";
import { componentsOf } from "./descent.ts";
import { openPassageAt, openRoot, pathAt } from "./tree/pinned-directory.ts";

/** What stands for "nothing is there", which no file's identity is. */
export const nothing = "0:0";

/** A path whose identity is wanted, or, with `orAbove`, that of the deepest directory of it that exists. */
export interface IdentityJob {
  readonly path: AllowedPath;
  readonly orAbove: boolean;
}

/**
 * Which file or directory lies at a path: `<device>:<inode>` in decimal, `nothing`, or undefined where
 * that cannot be found out, as behind a link, which is not followed. The text of a path alone says
 * little: another container has another directory under the same one.
 */
export function identityOf({ path, orAbove }: IdentityJob): string | undefined {
  let fd = openRoot();
  try {
    const names = componentsOf(path);
    for (const [i, name] of names.entries()) {
      const stat = lstatSync(pathAt(fd, name), { bigint: true, throwIfNoEntry: false });
      if (!stat) return orAbove ? textOf(fstatSync(fd, { bigint: true })) : nothing;
      if (stat.isSymbolicLink()) return undefined;
      if (i === names.length - 1) return textOf(stat);
      if (!stat.isDirectory()) return orAbove ? textOf(fstatSync(fd, { bigint: true })) : nothing;
      const next = openPassageAt(fd, name);
      closeSync(fd);
      fd = next;
    }
    return textOf(fstatSync(fd, { bigint: true }));
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function textOf({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`;
}
