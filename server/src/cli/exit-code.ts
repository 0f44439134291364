import type { CacheServiceError, Transfer } from "compilecache-client";

/** What a command's exit code says. */
export const exitCode = {
  success: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  noDaemon: 4,
  interrupted: 130,
} as const;

/** For the end of the help. */
export const exitCodeHelp = `
Exit codes:
  0    done, or skipped as the policy says
  1    failed, cancelled, or out of time
  2    wrong usage, or a request that the daemon calls malformed
  3    the store holds no such cache, or the daemon knows no such transfer
  4    no daemon answers
  130  interrupted`;

/** The code for a call that ended in an error. Where no daemon answered there is no reason. */
export function exitCodeOfError(error: CacheServiceError): number {
  if (error.code === "UNAVAILABLE" && error.reason === undefined) return exitCode.noDaemon;
  if (error.code === "INVALID_ARGUMENT") return exitCode.usage;
  if (error.code === "NOT_FOUND") return exitCode.notFound;
  return exitCode.failure;
}

/** The code for a transfer. One that still runs is a success: it was to be started, and was. */
export function exitCodeOfTransfer({ status, outcome }: Transfer): number {
  if (status === "error" || status === "interrupted" || status === "cancelled")
    return exitCode.failure;
  return outcome?.status === "does_not_exist" ? exitCode.notFound : exitCode.success;
}
