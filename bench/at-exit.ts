const cleanups = new Set<() => void>();

process.on("exit", () => {
  for (const cleanup of [...cleanups].reverse()) cleanup();
});

/**
 * Has `cleanup` run when the bench ends, however it ends, the latest first. The function that it
 * gives runs it now instead.
 */
export function atExit(cleanup: () => void): () => void {
  cleanups.add(cleanup);
  return () => {
    if (cleanups.delete(cleanup)) cleanup();
  };
}
