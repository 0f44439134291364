import type { S3Client, ServiceInputTypes, ServiceOutputTypes } from "@aws-sdk/client-s3";
import { CacheError } from "../../../domain/cache-error.ts";
import { ArchiveReplaced } from "../../store.ts";
import { answerOf, isNetworkFailure, type S3Answer } from "./error.ts";

/** A call of the client: what was asked, what the SDK made of the answer, and the answer itself. */
interface Exchange {
  readonly command: string;
  // biome-ignore lint/suspicious/noExplicitAny: each command has members of its own, which its rule knows.
  readonly input: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  readonly output: any;
  readonly answer: S3Answer;
}

/** A step of the SDK's way from a call to its output. */
type Step = (args: StepInput) => Promise<{ response: unknown; output: ServiceOutputTypes }>;
type StepInput = { input: ServiceInputTypes; request: unknown };

/** What is wrong with an answer, worded to follow "the store answered GetObject with 200"; undefined if nothing is. */
type Rule = (exchange: Exchange) => string | undefined;

const notS3 = "this is not an S3 server, or something in between answers for it";

/**
 * Has every answer of a client prove its shape before anyone believes it: status, lengths, ranges, tags,
 * and the fields that only S3 has. A call whose answer does not is rejected with STORE_UNAVAILABLE in
 * words; with ArchiveReplaced where it is about another object than the one that was asked for. A
 * failure that came as an HTTP error is the SDK's, and passes.
 */
export function requireProvenAnswers(client: S3Client, storeUrl: string): void {
  const unavailable = (
    { command, answer }: Omit<Exchange, "output">,
    what: string,
    cause?: unknown,
  ) =>
    new CacheError(
      "STORE_UNAVAILABLE",
      `the store ${storeUrl} answered ${command} with ${describe(answer)} ${what}`,
      { cause },
    );
  client.middlewareStack.addRelativeTo(
    (next: Step, context: { commandName?: string }) => async (args: StepInput) => {
      const command = (context.commandName ?? "").replace(/Command$/, "");
      const { input } = args;
      try {
        const { output, response } = await next(args);
        const answer = response as S3Answer;
        const exchange = { command, input, output, answer };
        const wrong = (rules[command] ?? unknownCommand)(exchange);
        if (wrong === undefined) return { output, response };
        discard(output);
        throw unavailable(exchange, wrong);
      } catch (error) {
        const answer = answerOf(error);
        // Its body could not be read as XML. An error's body may be anything, and its status counts.
        if (!answer || answer.statusCode >= 300 || isNetworkFailure(error)) throw error;
        throw unavailable(
          { command, input, answer },
          `and a body that cannot be read: ${notS3}`,
          error,
        );
      }
    },
    { name: "requireProvenAnswers", relation: "before", toMiddleware: "deserializerMiddleware" },
  );
}

const rules: Record<string, Rule> = {
  GetObject: (exchange) => otherThan(exchange, 200, 206) ?? rangeFault(exchange),
  HeadObject: (exchange) =>
    otherThan(exchange, 200) ?? withoutTag(exchange) ?? withoutLength(exchange),
  PutObject: (exchange) => otherThan(exchange, 200) ?? withoutTag(exchange),
  UploadPart: (exchange) => otherThan(exchange, 200) ?? withoutTag(exchange),
  CopyObject: (exchange) =>
    otherThan(exchange, 200) ?? without(exchange.output.CopyObjectResult?.ETag, "ETag"),
  CreateMultipartUpload: (exchange) =>
    otherThan(exchange, 200) ?? without(exchange.output.UploadId, "UploadId") ?? otherKey(exchange),
  CompleteMultipartUpload: (exchange) =>
    otherThan(exchange, 200) ?? withoutTag(exchange) ?? otherKey(exchange),
  ListObjectsV2: (exchange) =>
    otherThan(exchange, 200) ??
    pageFault(exchange) ??
    foreignKey(exchange, exchange.output.Contents),
  ListMultipartUploads: (exchange) =>
    otherThan(exchange, 200) ??
    without(exchange.output.Bucket, "Bucket") ??
    foreignKey(exchange, exchange.output.Uploads),
  ListParts: (exchange) =>
    otherThan(exchange, 200) ?? without(exchange.output.UploadId, "UploadId") ?? otherKey(exchange),
  DeleteObject: (exchange) => otherThan(exchange, 200, 204),
  AbortMultipartUpload: (exchange) => otherThan(exchange, 200, 204),
};

const unknownCommand: Rule = ({ command }) => `, and nothing is known of what ${command} answers`;

function otherThan({ answer }: Exchange, ...statuses: number[]): string | undefined {
  if (statuses.includes(answer.statusCode)) return undefined;
  return `where S3 answers ${statuses.join(" or ")}: ${notS3}`;
}

function without(value: unknown, what: string): string | undefined {
  return typeof value === "string" && value !== "" ? undefined : `without ${what}: ${notS3}`;
}

const withoutTag: Rule = ({ output }) => without(output.ETag, "ETag");

const withoutLength: Rule = ({ output }) =>
  output.ContentLength >= 0 ? undefined : `without Content-Length: ${notS3}`;

const otherKey: Rule = ({ input, output }) =>
  output.Key === undefined || output.Key === input.Key ? undefined : `about another key: ${notS3}`;

/** All reads ask for a range: `bytes=-<count>`, the last bytes, or `bytes=<first>-<last>`. */
const rangeFault: Rule = ({ input, output, answer }) => {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d+)$/.exec(input.Range) ?? [];
  const asked = `where ${input.Range} was asked for`;
  // An object without bytes has no range to serve: S3 answers 416, others 200, and MinIO "bytes 0--1/0".
  const isEmpty = output.ContentLength === 0 && /^$|\/0$/.test(output.ContentRange ?? "");
  if (first === "" && isEmpty && output.ETag) return undefined;
  if (answer.statusCode === 200) {
    return `and the whole of something ${asked}: this store serves no ranges of objects, or is not an S3 server`;
  }
  const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(output.ContentRange ?? "");
  if (!range) return `and ${text(output.ContentRange)} as Content-Range ${asked}`;
  const [start = 0, end = 0, total = 0] = range.slice(1).map(Number);
  const [wantedStart, wantedEnd] =
    first === ""
      ? [Math.max(0, total - Number(last)), total - 1]
      : [Number(first), Math.min(Number(last), total - 1)];
  if (start !== wantedStart || end !== wantedEnd)
    return `and ${text(output.ContentRange)} as Content-Range ${asked}`;
  const count = end - start + 1;
  if (output.ContentLength !== count)
    return `and ${output.ContentLength ?? "nothing"} as Content-Length of a range of ${count} bytes`;
  return withoutTag({ input, output, answer, command: "" });
};

const pageFault: Rule = ({ input, output }) => {
  const missing =
    without(output.Name, "Name") ??
    (typeof output.IsTruncated === "boolean" ? undefined : `without IsTruncated: ${notS3}`);
  if (missing) return missing;
  if (output.Prefix !== undefined && output.Prefix !== input.Prefix)
    return `about the prefix ${text(output.Prefix)} where ${text(input.Prefix)} was asked for`;
  const { NextContinuationToken: next } = output;
  if (output.IsTruncated && (!next || next === input.ContinuationToken))
    return "and a part of a list without a way to the rest";
  const { Contents: listed = [] } = output;
  if (listed.some(({ Size }: { Size?: number }) => Size === undefined))
    return "and a list without sizes";
  return undefined;
};

/** What a sweep removes must be what it asked about. */
function foreignKey({ input }: Exchange, listed: { Key?: string }[] = []): string | undefined {
  const foreign = listed.find(({ Key }) => !Key?.startsWith(input.Prefix));
  if (!foreign) return undefined;
  return `and the key ${text(foreign.Key)} where those below ${text(input.Prefix)} were asked for`;
}

/** Requires that an answer is about the object that was opened: its tag, and its length. */
export function requireSameObject(
  storeUrl: string,
  opened: { readonly etag: string; readonly bytes: number },
  found: { readonly etag: string; readonly bytes: number },
): void {
  if (found.etag !== opened.etag) throw new ArchiveReplaced(storeUrl, undefined);
  if (found.bytes === opened.bytes) return;
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `the store ${storeUrl} told two lengths of one object: ${opened.bytes} bytes, then ${found.bytes}`,
  );
}

/** The body of an answer that nobody will read. */
function discard(output: ServiceOutputTypes): void {
  const { Body } = output as { Body?: { destroy?: () => void } };
  Body?.destroy?.();
}

function describe({ statusCode, headers }: S3Answer): string {
  const type = headers["content-type"];
  return type && /html|json|plain/.test(type) ? `${statusCode} (${type})` : `${statusCode}`;
}

function text(value: string | undefined): string {
  return value === undefined ? "nothing" : JSON.stringify(value.slice(0, 100));
}
