export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ["json", "human"] as const;
export type LogFormat = (typeof logFormats)[number];

/** What goes with a log line, by name: `operation_id` on each line of a transfer. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where every layer writes its log lines. An `Error` among the fields is written with its cause. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}
