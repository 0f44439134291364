import { inspect } from "node:util";
import winston from "winston";
import { CacheError, type Reason } from "./domain/cache-error.ts";
import { harmless } from "./domain/harmless-text.ts";
import type { LogFields, LogFormat, Logger, LogLevel } from "./domain/logger.ts";

/** What an operator mends: its words say what is wrong, and a stack would only be long. */
const operators: ReadonlySet<Reason> = new Set(["STORE_UNAVAILABLE", "LOCAL_UNAVAILABLE"]);

/** An error with its stack and its causes; of what an operator mends, the words of all of them. */
function textOf(error: Error): string {
  const chain = withCauses(error);
  const isBug = chain.some((each) => each instanceof TypeError || each instanceof RangeError);
  if (!(error instanceof CacheError) || !operators.has(error.reason) || isBug)
    return inspect(error);
  return chain.map(({ message }) => message).join(": ");
}

function withCauses(error: Error): Error[] {
  return error.cause instanceof Error ? [error, ...withCauses(error.cause)] : [error];
}

/** Errors and bigints as text, which JSON would lose or refuse. */
function printable(_name: string, value: unknown): unknown {
  if (value instanceof Error) return textOf(value);
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
  return textOf(error).split("\n").map(harmless).join("\n  ");
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
