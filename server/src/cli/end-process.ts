/**
 * Ends this process at once. process.exit waits for all threads, and never returns while a dead mount
 * holds one; replacing the program, as this does, leaves them behind.
 */
export function endProcess(exitCode: number): void {
  const { execPath } = process;
  process.execve?.(execPath, [execPath, "--eval", `process.exit(${exitCode})`], {});
}
