import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { saysStaleCredentials, statusOf } from "./error.ts";

/** How often credentials are read again because of a refusal that may mean something else, at most. */
const rereadPauseMs = 5_000;

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Finds credentials where the SDK does, but reads files afresh each time. The client remembers them until
 * shortly before they run out.
 */
export function credentialsReader(
  logger: NonNullable<S3ClientConfig["logger"]>,
): NonNullable<S3ClientConfig["credentials"]> {
  return (properties?: object) => defaultProvider({ ignoreCache: true, logger })(properties);
}

/**
 * Has a client find its credentials again when the store refuses them, and repeat the call if there are
 * others by now: a file of credentials may be replaced under a running daemon.
 */
export function rereadRefusedCredentials(client: S3Client): void {
  let rereading: Promise<Credentials> | undefined;
  let lastReread = Number.NEGATIVE_INFINITY;
  const current = (): Promise<Credentials | undefined> =>
    client.config.credentials().catch(() => undefined);
  const reread = () => {
    rereading ??= client.config.credentials({ forceRefresh: true }).finally(() => {
      lastReread = performance.now();
      rereading = undefined;
    });
    return rereading.catch(() => undefined);
  };
  /** Whether there are others than those that were refused. */
  const areThereOthers = async (used: Credentials, error: unknown) => {
    if (!mayMeanStale(error)) return false;
    if (areOthers(used, await current())) return true;
    if (!saysStaleCredentials(error) && performance.now() - lastReread < rereadPauseMs)
      return false;
    return areOthers(used, await reread());
  };
  client.middlewareStack.add(
    (next) => async (args) => {
      const used = await current();
      try {
        return await next(args);
      } catch (error) {
        if (!used || !(await areThereOthers(used, error))) throw error;
        return next(args);
      }
    },
    { name: "rereadRefusedCredentials", step: "initialize", priority: "high" },
  );
}

/** An answer to HEAD has no code that says more. */
function mayMeanStale(error: unknown): boolean {
  if (saysStaleCredentials(error)) return true;
  const { Code } = error as { Code?: string };
  if (Code !== undefined) return Code === "AccessDenied";
  return [400, 401, 403].includes(statusOf(error) ?? 0);
}

function areOthers(used: Credentials, found: Credentials | undefined): boolean {
  if (!found) return false;
  return (
    found.accessKeyId !== used.accessKeyId ||
    found.secretAccessKey !== used.secretAccessKey ||
    found.sessionToken !== used.sessionToken
  );
}
