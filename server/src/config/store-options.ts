import type { Origin } from "../domain/origin.ts";
import type { Signing } from "../signing/trust.ts";
import type { S3Options } from "../store/open-store.ts";
import type { Config } from "./settings.ts";

/** Who signs, and whom to trust. */
export function signingOf({ signingKey: key, trustedKeys: trusted }: Config): Signing {
  return { key, trusted };
}

/** What archives say of who saved them. */
export function originOf({ saver, revision }: Config): Origin {
  return { ...(saver ? { saver } : {}), ...(revision ? { revision } : {}) };
}

/** How a bucket is used. */
export function s3OptionsOf({ s3Anonymous, s3Sse, s3SseKmsKeyId }: Config): S3Options {
  const key = s3SseKmsKeyId ? { keyId: s3SseKmsKeyId } : {};
  return {
    isAnonymous: s3Anonymous,
    ...(s3Sse ? { encryption: { algorithm: s3Sse, ...key } } : {}),
  };
}
