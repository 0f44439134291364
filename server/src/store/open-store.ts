import type { Logger } from "../domain/logger.ts";
import { openB10Archives } from "./file/b10-archives.ts";
import { createFileStore, type FileStoreOptions } from "./file/store.ts";
import type { S3Server } from "./s3/calls/client.ts";
import type { S3Options } from "./s3/store.ts";
import type { B10Place, Store } from "./store.ts";

export type { B10Place, S3Options, S3Server };
export { openB10Archives };

/** Where archives live. */
export type StoreLocation =
  | { readonly kind: "file"; readonly path: string }
  | {
      readonly kind: "s3";
      readonly bucket: string;
      /** Without slashes at its ends; may be empty. */
      readonly prefix: string;
      /** Default: the server that the environment names, as the AWS SDK understands it. */
      readonly server?: S3Server;
    };

/** Opens the store at a location, which need not be in reach now. */
export async function openStore(
  location: StoreLocation,
  logger: Logger,
  { s3 = {}, file = {} }: { s3?: S3Options; file?: FileStoreOptions } = {},
): Promise<Store> {
  if (location.kind === "file") return createFileStore(location.path, logger, file);
  // Loading the AWS SDK takes a while, which the file store need not wait for.
  const { createS3Store } = await import("./s3/store.ts");
  return createS3Store({ ...location, ...s3, logger });
}
