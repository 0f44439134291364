import { inspect } from "node:util";
import winston from "winston";
import { harmless } from "./domain/harmless-text.ts";
import type { LogFields, LogFormat, Logger, LogLevel } from "./domain/logger.ts";

/** Errors and bigints as text, which JSON would lose or refuse. */
function printable(_name: string, value: unknown): unknown {
  if (value instanceof Error) return inspect(value);
  return typeof value === "bigint" ? value.toString() : value;
}

const json = winston.format.printf(({ timestamp, level, message, ...fields }) =>
  JSON.stringify({ timestamp, level, message, ...fields }, printable),
);

function readableText(value: unknown): string {
  if (typeof value === "string" && !/[\s"]/.test(value)) return harmless(value);
  return harmless(JSON.stringify(value, printable) ?? String(value));
}

function readableError(error: Error): string {
  return inspect(error).split("\n").map(harmless).join("\n  ");
}

const human = winston.format.printf(({ timestamp, level, message, ...fields }) => {
  const pairs = Object.entries(fields).map(([name, value]) =>
    value instanceof Error
      ? `\n  ${name}: ${readableError(value)}`
      : ` ${name}=${readableText(value)}`,
  );
  return `${timestamp} ${level.padEnd(5)} ${harmless(String(message))}${pairs.join("")}`;
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
