/**
 * Has this process end where nobody takes what it prints: quietly if the reader has read enough, as
 * `head` does, and else with a sentence, for the answer is lost.
 */
export function exitOnLostOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    const why = error.code === "ENOSPC" ? "no space is left where the output goes" : error.message;
    process.stderr.write(`compilecache: the output could not be written: ${why}\n`);
    process.exit(1);
  });
  process.stderr.on("error", () => {});
}
