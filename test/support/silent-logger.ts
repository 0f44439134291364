import type { Logger } from "../../server/src/domain/logger.ts";

/** A logger for what no test looks at. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
