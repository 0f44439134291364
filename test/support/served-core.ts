import type { TestContext } from "node:test";
import type { LogFields, Logger } from "../../server/src/domain/logger.ts";
import { parseTokens } from "../../server/src/domain/tokens.ts";
import type { CacheCore } from "../../server/src/operations/cache-operations.ts";
import { serve as serveOperations } from "../../server/src/service/serve.ts";
import { connect, tempDir } from "./service-client.ts";

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines. */
export function recordingLogger(lines: LogLine[], outer: LogFields = {}): Logger {
  const at = (level: string) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields: { ...outer, ...fields } });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => recordingLogger(lines, { ...outer, ...fields }),
  };
}

/** A core behind a real server on a socket, with a client that is connected to it. */
export async function serve(t: TestContext, core: CacheCore, { tokens }: { tokens?: string } = {}) {
  const lines: LogLine[] = [];
  const served = await serveOperations({
    operations: core,
    listen: [{ kind: "unix", path: `${await tempDir(t)}/daemon.sock` }],
    tokens: tokens === undefined ? undefined : parseTokens(tokens).tokens,
    idleExitMs: 0,
    logger: recordingLogger(lines),
  });
  t.after(() => served.stop(0));
  const address = served.addresses[0] as string;
  return { served, address, lines, client: connect(t, address) };
}
