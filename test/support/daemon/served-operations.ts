import type { TestContext } from "node:test";
import { parseTokens } from "../../../server/src/domain/tokens.ts";
import type { CacheOperations } from "../../../server/src/operations/cache-operations.ts";
import { serve as serveOperations } from "../../../server/src/service/serve.ts";
import { connect, tempDir } from "../client/service-client.ts";
import { type LogLine, recordingLogger } from "../recording-logger.ts";

/** Operations behind a real server on a socket, with a client that is connected to it. */
export async function serve(
  t: TestContext,
  operations: CacheOperations,
  { tokens, maxConnections = 100 }: { tokens?: string; maxConnections?: number } = {},
) {
  const lines: LogLine[] = [];
  const served = await serveOperations({
    operations,
    listen: [{ kind: "unix", path: `${await tempDir(t)}/daemon.sock` }],
    tokens: tokens === undefined ? undefined : parseTokens(tokens).tokens,
    maxConnections,
    idleExitMs: 0,
    logger: recordingLogger(lines),
  });
  t.after(() => served.stop(0));
  const address = served.addresses[0] as string;
  return { served, address, lines, client: connect(t, address) };
}
