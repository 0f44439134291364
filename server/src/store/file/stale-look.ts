const attempts = 10;

/**
 * How often a look may fail with EIO before that is believed: an NFSv3 client says so, too, of a name
 * that two machines replace all the time.
 */
const errorAttempts = 3;

const estale = -116;

/** Whether NFS says that another machine replaced or removed a file since this one looked at it. */
export function isStaleHandle(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).errno === estale;
}

/** Whether what was looked at is there no more, and another may be. */
function isStale(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT" || isStaleHandle(error);
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
