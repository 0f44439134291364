import type { LogFormat, LogLevel } from "../../domain/logger.ts";
import { logFormats, logLevels } from "../../domain/logger.ts";
import { Mistake } from "./values.ts";

// LOG_LEVEL and LOG_FORMAT are also other programs' variables: these are the words of Python,
// winston, syslog, Java, Rust's env_logger and what resembles them, in any case.
const levels: Readonly<Record<LogLevel, readonly string[]>> = {
  error: [
    ..."error err severe critical crit alert emerg emergency panic fatal".split(" "),
    ..."off none silent quiet disabled".split(" "),
  ],
  warn: ["warn", "warning"],
  info: ["info", "information", "informational", "notice", "log", "config", "default"],
  debug: "debug verbose http trace silly fine finer finest all notset".split(" "),
};

const formats: Readonly<Record<LogFormat, readonly string[]>> = {
  json: ["json", "jsonl", "ndjson", "structured"],
  human: [
    ..."human text txt plain pretty console simple logfmt keyvalue terminal tty line".split(" "),
    ..."color colored colour coloured compact full dev standard default".split(" "),
  ],
};

/** A level by any of its names, by Python's number, or the general one of `info,hyper=warn`. */
export function parseLogLevel(text: string): LogLevel {
  const words = text.toLowerCase().split(",");
  for (const word of words.map((word) => word.trim())) {
    const level = logLevels.find((level) => levels[level].includes(word)) ?? levelOfNumber(word);
    if (level !== undefined) return level;
  }
  throw new Mistake(`is none of ${logLevels.join(", ")}`);
}

/** Python's: 10 is debug, 50 is critical, 0 is all. Between 1 and 9 programs disagree. */
function levelOfNumber(word: string): LogLevel | undefined {
  const number = /^\d{1,3}$/.test(word) ? Number(word) : Number.NaN;
  if (number >= 40) return "error";
  if (number >= 30) return "warn";
  if (number >= 20) return "info";
  return number >= 10 || number === 0 ? "debug" : undefined;
}

/** A format by any of its names. */
export function parseLogFormat(text: string): LogFormat {
  const format = logFormats.find((format) => formats[format].includes(text.toLowerCase()));
  if (format !== undefined) return format;
  throw new Mistake(`is none of ${logFormats.join(", ")}`);
}
