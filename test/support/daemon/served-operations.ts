import type { TestContext } from "node:test";
import { defaultPolicy } from "../../../server/src/access/policy.ts";
import { parseTokens } from "../../../server/src/access/tokens.ts";
import { defaultSocketRights } from "../../../server/src/listen/listener.ts";
import type { SharedOperations } from "../../../server/src/operations/cache-operations.ts";
import { serve as serveOperations } from "../../../server/src/service/serve.ts";
import { connect, tempDir } from "../client/service-client.ts";
import { type LogLine, recordingLogger } from "../recording-logger.ts";

/** Operations behind a real server on a socket, with a client that is connected to it. */
export async function serve(
  t: TestContext,
  operations: SharedOperations,
  { tokens, maxConnections = 100 }: { tokens?: string; maxConnections?: number } = {},
) {
  const lines: LogLine[] = [];
  const served = await serveOperations({
    operations,
    listeners: [
      {
        listener: {
          address: { kind: "unix", path: `${await tempDir(t)}/daemon.sock` },
          socket: defaultSocketRights,
        },
        policy: defaultPolicy({
          directories: [],
          workDir: undefined,
          tokens: tokens === undefined ? undefined : parseTokens(tokens).tokens,
        }),
      },
    ],
    maxConnections,
    idleExitMs: 0,
    logger: recordingLogger(lines),
  });
  t.after(() => served.stop(0));
  const address = served.addresses[0] as string;
  return { served, address, lines, client: connect(t, address) };
}
