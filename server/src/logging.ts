import { inspect } from "node:util";
import winston from "winston";
import type { LogFields, LogFormat, Logger, LogLevel } from "./domain/logger.ts";

/** Errors and bigints as text, which JSON would lose or refuse. */
function printable(_name: string, value: unknown): unknown {
  if (value instanceof Error) return inspect(value);
  return typeof value === "bigint" ? value.toString() : value;
}

const json = winston.format.printf(({ timestamp, level, message, ...fields }) =>
  JSON.stringify({ timestamp, level, message, ...fields }, printable),
);

const human = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const pairs = Object.entries(fields).map(([name, value]) => {
    if (value instanceof Error) return `\n  ${name}: ${inspect(value).replaceAll("\n", "\n  ")}`;
    return ` ${name}=${typeof value === "string" ? value : JSON.stringify(value, printable)}`;
  });
  return `${timestamp} ${level.padEnd(5)} ${message}${pairs.join("")}`;
});

/**
 * The daemon's log: one line an event on standard output, as JSON for machines or as text for
 * people, from `level` up.
 */
export function createLogger(options: { level: LogLevel; format: LogFormat }): Logger {
  const sink = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      options.format === "json" ? json : human,
    ),
    transports: [new winston.transports.Console()],
  });
  const within = (outer: LogFields): Logger => {
    const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
      sink.log({ ...outer, ...fields, level, message });
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => within({ ...outer, ...fields }),
    };
  };
  return within({});
}
