/**
 * Ends this process, at once. process.exit waits for all threads, for ever if a dead mount holds one;
 * a program that takes the place of this one leaves them behind.
 */
export function endProcess(exitCode: number): void {
  const { execPath } = process;
  process.execve?.(execPath, [execPath, "--eval", `process.exit(${exitCode})`], {});
}
