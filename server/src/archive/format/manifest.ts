import { createHash } from "node:crypto";
import {
  damagedArchive,
  malformedArchive,
  unsupportedArchive,
} from "../../domain/archive-error.ts";
import { type Environment, environmentKey } from "../../domain/environment.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import { toolVersion } from "../../domain/tool-version.ts";
import {
  formatName,
  formatVersion,
  manifestMagic,
  maxFrameBytes,
  maxFrameContentBytes,
  skippableFrame,
} from "./format.ts";

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
  /** The data frames, in their order in the file. */
  readonly frames: readonly FrameRecord[];
  /** The skippable frame of the file index: its size with its header, and its SHA-256. */
  readonly index: { readonly bytes: number; readonly sha256: string };
}

/** The part of a manifest that does not follow from the frames. */
export interface ArchiveHead {
  readonly namespace: string;
  readonly environment: Environment;
  readonly environmentKey: string;
  readonly generation: number;
  /** The directory that it is saved from. */
  readonly savedFrom: RootPaths;
  readonly createdAt: Date;
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
    ...recordOf(head.savedFrom),
    created_at: head.createdAt.toISOString(),
    tool: `compilecache/${toolVersion}`,
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

const digestBytes = 32;
/** A skippable frame states its length in four bytes. */
const maxSkippableBytes = 2 ** 32 - 1;
/** Linux's PATH_MAX. */
const maxPathBytes = 4096;

/** The skippable frame of a manifest: its SHA-256 (32 bytes), then its JSON text. */
export function encodeManifest(manifest: Manifest): Buffer {
  const json = Buffer.from(JSON.stringify(manifest), "utf8");
  const digest = createHash("sha256").update(json).digest();
  return skippableFrame(manifestMagic, Buffer.concat([digest, json]));
}

// Every writer of format 1 names the format first.
const manifestStart = Buffer.from(`{"format":${JSON.stringify(formatName)}`);

/**
 * Whether the payload of a frame is a manifest, whole or damaged, by how it begins: other programs use
 * frames of that magic number, too.
 */
export function isManifest(payload: Buffer): boolean {
  const start = payload.subarray(digestBytes, digestBytes + manifestStart.length);
  return start.equals(manifestStart) || matchesDigest(payload);
}

function matchesDigest(payload: Buffer): boolean {
  const digest = createHash("sha256").update(payload.subarray(digestBytes)).digest();
  return digest.equals(payload.subarray(0, digestBytes));
}

/**
 * Reads the payload of a manifest's frame. Throws ARCHIVE_CORRUPT, which proves damage if its digest
 * does not match, and ARCHIVE_UNSUPPORTED if its format version is newer than this daemon's.
 */
export function decodeManifest(payload: Buffer): Manifest {
  if (!matchesDigest(payload)) throw damagedArchive("its manifest does not match its digest");
  const manifest = parseJson(payload.subarray(digestBytes));
  if (manifest.format !== formatName)
    throw malformedArchive(`its manifest names the format ${JSON.stringify(manifest.format)}`);
  if (!isCount(manifest.version) || manifest.version < 1)
    throw malformedArchive("its manifest has no format version");
  if (manifest.version > formatVersion)
    throw unsupportedArchive(
      `the archive has format version ${manifest.version}, and this daemon reads up to ${formatVersion}: use a newer one`,
    );
  checkShape(manifest);
  return manifest;
}

function parseJson(json: Buffer): Manifest {
  try {
    return Object(JSON.parse(json.toString("utf8"))) as Manifest;
  } catch (cause) {
    throw malformedArchive("its manifest is not JSON", cause);
  }
}

// The digest shows that a manifest is as it was written, not that its writer was honest.
function checkShape(manifest: Manifest): void {
  const environment = manifest.environment;
  const texts = [
    manifest.namespace,
    manifest.environment_key,
    manifest.created_at,
    environment?.torchVersion,
    environment?.cudaVersion,
    environment?.computeCapability,
    environment?.tritonVersion,
    manifest.index?.sha256,
  ];
  const counts = [
    manifest.generation,
    manifest.file_count,
    manifest.content_bytes,
    manifest.index?.bytes,
    manifest.appended_bytes ?? 0,
  ];
  const labels = environment?.extra;
  const sound =
    texts.every((text) => typeof text === "string") &&
    typeof labels === "object" &&
    labels !== null &&
    Object.values(labels).every((text) => typeof text === "string") &&
    counts.every(isCount) &&
    manifest.index.bytes <= maxSkippableBytes &&
    isPath(manifest.local_dir ?? "/") &&
    isPath(manifest.other_dir ?? "/") &&
    Array.isArray(manifest.frames) &&
    manifest.frames.every(
      (frame) =>
        typeof frame?.sha256 === "string" &&
        isCount(frame.bytes) &&
        isCount(frame.index_bytes) &&
        isCount(frame.content_bytes) &&
        areTexts(frame.superseded ?? []) &&
        isPath(frame.local_dir ?? "/") &&
        isPath(frame.other_dir ?? "/") &&
        frame.bytes <= maxFrameBytes &&
        frame.content_bytes <= maxFrameContentBytes,
    );
  if (!sound) throw malformedArchive("a field of its manifest is missing, or has the wrong type");
  if (Number.isNaN(Date.parse(manifest.created_at)))
    throw malformedArchive("its creation time is not a date");
  if (keyOf(environment) !== manifest.environment_key)
    throw malformedArchive("its environment does not match its environment key");
}

/** The key of an environment; undefined if the environment is invalid. */
function keyOf(environment: Environment): string | undefined {
  try {
    return environmentKey(environment);
  } catch {
    return undefined;
  }
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

function isPath(value: unknown): boolean {
  return typeof value === "string" && value.startsWith("/") && value.length < maxPathBytes;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
