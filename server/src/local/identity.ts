import { statSync } from "node:fs";
import { dirname } from "node:path";

/** What stands for "nothing is there", which no file's identity is. */
export const nothing = "0:0";

/** A path whose identity is wanted, or, with `orAbove`, that of the deepest directory of it that exists. */
export interface IdentityJob {
  readonly path: string;
  readonly orAbove: boolean;
}

/**
 * Which file or directory lies at a path, links followed: `<device>:<inode>` in decimal, `nothing`, or
 * undefined where that cannot be found out. The text of a path alone says little: another container
 * has another directory under the same one.
 */
export function identityOf({ path, orAbove }: IdentityJob): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") return undefined;
    return orAbove && path !== "/" ? identityOf({ path: dirname(path), orAbove }) : nothing;
  }
}
