const attempts = 10;

/**
 * How often a look may fail with EIO before that is believed: an NFSv3 client says so, too, of a name
 * that two machines replace all the time.
 */
const errorAttempts = 3;

/** What NFS says of a file that another machine replaced or removed since this one looked. */
export const estale = -116;

/**
 * Whether a store failed because the archive was replaced or removed while it was read. (What a call
 * that writes says so of is not that archive.)
 */
export function wasReplaced(error: unknown): boolean {
  const { cause } = error as { cause?: Partial<NodeJS.ErrnoException> };
  return cause?.errno === estale && (cause.syscall === undefined || cause.syscall === "read");
}

/** Whether what was looked at is there no more, and another may be. */
export function isStale(error: unknown): boolean {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || errno === estale;
}

/** Looks, and looks again where another machine came between, or may have. */
export async function lookAgainIfStale<T>(look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await look();
    } catch (error) {
      const isError = (error as NodeJS.ErrnoException).code === "EIO";
      const most = isStale(error) ? attempts : isError ? errorAttempts : 0;
      if (attempt >= most) throw error;
    }
}
