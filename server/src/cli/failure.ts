import { CacheServiceError } from "compilecache-client";
import { ConfigError } from "../config/config.ts";
import { CacheError } from "../domain/cache-error.ts";
import { messageInFlags, violationsInFlags } from "./flag-words.ts";
import { harmlessLines } from "./output/harmless-lines.ts";
import { inSnakeCase } from "./output/snake-case.ts";

/** Why a command failed, as `--json` prints it. */
export interface Failure {
  /** The gRPC code, also where no daemon is asked. */
  readonly code: string;
  readonly reason?: string | undefined;
  readonly message: string;
  /** `field` is the flag, the argument or the variable that is wrong. */
  readonly violations?: readonly { readonly field: string; readonly description: string }[];
}

/** What an error means in the words of a command's user. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CacheServiceError) {
    const { code, reason } = error;
    const violations = violationsInFlags(error, process.argv);
    return { code, reason, message: messageInFlags(error, process.argv), violations };
  }
  if (error instanceof CacheError) {
    const { code, reason, message } = error;
    return { code, reason, message };
  }
  const { message } = error as Error;
  if (!(error instanceof ConfigError)) return { code: "INVALID_ARGUMENT", message };
  const violations = error.mistakes.map((mistake) => {
    const [, field = "", description = mistake] = /^([\w-]+): (.*)$/s.exec(mistake) ?? [];
    return { field, description };
  });
  return { code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST", message, violations };
}

/** Tells of it: for programs as JSON on stdout, in place of an answer, and for people on stderr. */
export function tellFailure(failure: Failure, json: boolean): void {
  if (json) {
    const { violations = [], ...parts } = failure;
    const error = inSnakeCase({ ...parts, violations });
    process.stdout.write(`${JSON.stringify({ error })}\n`);
  } else process.stderr.write(`compilecache: ${harmlessLines(failure.message)}\n`);
}
