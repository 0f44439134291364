import { randomBytes } from "node:crypto";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import type { S3Context } from "../calls/context.ts";
import { withDeadline } from "../calls/deadline.ts";
import { statusOf } from "../calls/error.ts";
import type { Condition } from "./commit.ts";
import { createMultipartUpload } from "./multipart-upload.ts";
import { sweepObjects } from "./sweep.ts";

/** Which conditions a server keeps to. */
export interface Verdict {
  /** Of several writers that are to be the first, whole or in parts, exactly one is. */
  readonly create: boolean;
  /** Of several writers that are to replace one version, exactly one does. */
  readonly replace: boolean;
}

/** How many writers race: some with whole objects, some with uploads in parts. */
const wholeRacers = 6;
const racersInParts = 2;

/**
 * Tries on a hidden object, in some 25 small requests, whether the server keeps to conditions. Removes
 * the object, and old ones of daemons that were killed while they probed. Throws the error of a call
 * that failed for another reason.
 */
export async function probeConditions(context: S3Context): Promise<Verdict> {
  const { client, bucket, prefix } = context;
  const start = `${prefix}.probe-`;
  const Key = `${start}${randomBytes(8).toString("hex")}`;
  const object = { Bucket: bucket, Key };
  const { encryption } = context;
  const put = (condition: Condition) =>
    withDeadline(context, (options) =>
      client.send(
        new PutObjectCommand({ ...object, ...encryption, ...condition, Body: randomBytes(16) }),
        options,
      ),
    );
  const remove = () =>
    withDeadline(context, (options) => client.send(new DeleteObjectCommand(object), options));
  const beginInParts = async () => {
    const upload = await createMultipartUpload(context, Key, {}, undefined);
    await upload.add(randomBytes(16), () => {});
    await upload.settle();
    return upload;
  };

  const uploads = await Promise.all(Array.from({ length: racersInParts }, beginInParts));
  try {
    const first: Condition = { IfNoneMatch: "*" };
    const create = await exactlyOne([
      ...Array.from({ length: wholeRacers }, () => put(first)),
      ...uploads.map((upload) =>
        withDeadline(context, (options) => upload.complete(first, options)),
      ),
    ]);
    const { ETag: old = "" } = await put({});
    const replace = await exactlyOne(
      Array.from({ length: wholeRacers }, () => put({ IfMatch: old })),
    );
    return { create, replace };
  } finally {
    await Promise.allSettled([
      remove(),
      ...uploads.map((upload) => upload.abort()),
      sweepObjects(context, start),
    ]);
  }
}

type Outcome = "done" | "held back" | "failed otherwise";

async function exactlyOne(racers: Promise<unknown>[]): Promise<boolean> {
  const outcomes = await Promise.all(racers.map(outcomeOf));
  const count = (outcome: Outcome) => outcomes.filter((each) => each === outcome).length;
  return count("done") === 1 && count("held back") === outcomes.length - 1;
}

async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    await call;
    return "done";
  } catch (error) {
    const status = statusOf(error);
    if (status === 409 || status === 412) return "held back";
    // The server does not know the condition, or the winner of the race has removed this upload.
    if (status === 501 || status === 400 || status === 404) return "failed otherwise";
    throw error;
  }
}
