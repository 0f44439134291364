import { createHash } from "node:crypto";
import type { Environment } from "../../domain/environment.ts";
import type { Origin } from "../../domain/origin.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import { toolVersion } from "../../domain/tool-version.ts";
import { formatName, formatVersion, manifestMagic, skippableFrame } from "./format.ts";
import { type ManifestSignature, type Signer, signJson } from "./signature.ts";

/** One data frame: a zstd frame of tar stream, and the section of the file index that lists it. */
export interface FrameRecord {
  /** Size in the archive. */
  readonly bytes: number;
  /** Hexadecimal SHA-256 of those bytes. */
  readonly sha256: string;
  /** Size of the tar stream in it. */
  readonly content_bytes: number;
  /** Size of this frame's section of the file index. */
  readonly index_bytes: number;
  /** Names of the files in this frame that are out of date, because a later frame holds newer ones. */
  readonly superseded?: readonly string[];
  /** Path of the directory that its files were saved from, where it is not the manifest's. */
  readonly local_dir?: string;
  /** Another path of that directory, where links lead to it. */
  readonly other_dir?: string;
}

/** An archive's description of itself: the JSON text in the second skippable frame. */
export interface Manifest {
  readonly format: typeof formatName;
  readonly version: number;
  readonly namespace: string;
  readonly environment: Environment;
  readonly environment_key: string;
  readonly generation: number;
  /** Time of creation, in ISO 8601. */
  readonly created_at: string;
  readonly tool: string;
  readonly file_count: number;
  /** Sum of the sizes of the files. */
  readonly content_bytes: number;
  /** Path of the directory that it was saved from, as its client saw it. Absent means unknown. */
  readonly local_dir?: string;
  /** Another path of that directory, where links lead to it. */
  readonly other_dir?: string;
  /**
   * Bytes of files that refreshes have appended since the archive was last packed as a whole. Absent
   * means 0.
   */
  readonly appended_bytes?: number;
  /** Who saved it, and from what. Absent means unknown. */
  readonly origin?: Origin;
  /** The data frames, in their order in the file. */
  readonly frames: readonly FrameRecord[];
  /** The skippable frame of the file index: its size with its header, and its SHA-256. */
  readonly index: { readonly bytes: number; readonly sha256: string };
  /** Where it was read and is signed: the signature, which nobody has verified yet. */
  readonly signature?: ManifestSignature;
}

/** The part of a manifest that does not follow from the frames. */
export interface ArchiveHead {
  readonly namespace: string;
  readonly environment: Environment;
  readonly environmentKey: string;
  readonly generation: number;
  /** The directory that it is saved from, where it is known. */
  readonly savedFrom: RootPaths | undefined;
  readonly createdAt: Date;
  readonly origin: Origin;
  /** Bytes of files that refreshes have appended since the archive was last packed as a whole. */
  readonly appendedBytes: number;
}

/** How many files an archive holds, and the sum of their sizes in bytes. */
export interface ArchiveTotals {
  readonly fileCount: number;
  readonly bytes: number;
}

/** Puts the manifest of a finished archive together. */
export function manifestOf(
  head: ArchiveHead,
  totals: ArchiveTotals,
  { frames, index }: Pick<Manifest, "frames" | "index">,
): Manifest {
  return {
    format: formatName,
    version: formatVersion,
    namespace: head.namespace,
    environment: head.environment,
    environment_key: head.environmentKey,
    generation: head.generation,
    ...(head.savedFrom ? recordOf(head.savedFrom) : {}),
    created_at: head.createdAt.toISOString(),
    tool: `compilecache/${toolVersion}`,
    ...(Object.keys(head.origin).length > 0 ? { origin: head.origin } : {}),
    ...(head.appendedBytes > 0 ? { appended_bytes: head.appendedBytes } : {}),
    file_count: totals.fileCount,
    content_bytes: totals.bytes,
    frames,
    index,
  };
}

/** Where files were saved from, as a manifest or one of its frame records says it. */
export function recordOf({
  path,
  otherPath,
}: RootPaths): Pick<FrameRecord, "local_dir" | "other_dir"> {
  return { local_dir: path, ...(otherPath === undefined ? {} : { other_dir: otherPath }) };
}

/** The same, read; undefined where it is unknown. */
export function savedFromOf({
  local_dir,
  other_dir,
}: Pick<FrameRecord, "local_dir" | "other_dir">): RootPaths | undefined {
  if (local_dir === undefined) return undefined;
  return { path: local_dir, ...(other_dir === undefined ? {} : { otherPath: other_dir }) };
}

/** The skippable frame of a manifest: its SHA-256 (32 bytes), then its JSON text, which may be signed. */
export function encodeManifest(manifest: Manifest, signer?: Signer): Buffer {
  const json = Buffer.from(signer ? signJson(manifest, signer) : JSON.stringify(manifest), "utf8");
  const digest = createHash("sha256").update(json).digest();
  return skippableFrame(manifestMagic, Buffer.concat([digest, json]));
}
