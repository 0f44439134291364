import type { Origin } from "../domain/origin.ts";
import type { Signing } from "../signing/trust.ts";
import type { B10Place, S3Options } from "../store/open-store.ts";
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

/** Where archives of b10-transfer may be: where the configuration says, else at the top of a file store. */
export function b10PlaceOf({ b10Archives, store }: Config): B10Place | undefined {
  if (b10Archives === "none") return undefined;
  if (b10Archives !== undefined) return { directory: b10Archives, isNamed: true };
  return store.kind === "file" ? { directory: store.path, isNamed: false } : undefined;
}
