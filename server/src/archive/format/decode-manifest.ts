import { createHash } from "node:crypto";
import {
  damagedArchive,
  malformedArchive,
  unsupportedArchive,
} from "../../domain/archive-error.ts";
import { type Environment, parseEnvironment } from "../../domain/environment.ts";
import { longestOriginText, type Origin } from "../../domain/origin.ts";
import { type JsonBounds, parseBoundedJson } from "./bounded-json.ts";
import { maxPackedSectionBytes } from "./file-index.ts";
import {
  formatName,
  formatVersion,
  maxFrameBytes,
  maxFrameContentBytes,
  maxFrames,
  maxIndexBytes,
  maxManifestBytes,
  maxSuperseded,
} from "./format.ts";
import type { FrameRecord, Manifest } from "./manifest.ts";
import { signatureIn } from "./signature.ts";

const digestBytes = 32;
/** Linux's PATH_MAX. */
const maxPathBytes = 4096;
/** Values and levels of a manifest: those of the most frames, and names of superseded files. */
const bounds: JsonBounds = { values: 2 * maxSuperseded, depth: 32 };

// Every writer of format 1 names the format first.
const manifestStart = Buffer.from(`{"format":${JSON.stringify(formatName)}`);

/** So many of a payload's first bytes tell whether it is a manifest. */
export const manifestStartBytes = digestBytes + manifestStart.length;

/**
 * Whether the payload of a frame is a manifest, whole or damaged, by how it begins: other programs use
 * frames of that magic number, too.
 */
export function beginsAsManifest(payload: Buffer): boolean {
  return payload.subarray(digestBytes, manifestStartBytes).equals(manifestStart);
}

/** The same, for a payload that is whole: its digest counts, too. */
export function isManifest(payload: Buffer): boolean {
  return beginsAsManifest(payload) || matchesDigest(payload);
}

function matchesDigest(payload: Uint8Array): boolean {
  const digest = createHash("sha256").update(payload.subarray(digestBytes)).digest();
  return digest.equals(payload.subarray(0, digestBytes));
}

/**
 * Reads the payload of a manifest's frame. Throws ARCHIVE_CORRUPT, which proves damage if its digest
 * does not match, and ARCHIVE_UNSUPPORTED if its format version is newer than this daemon's.
 */
export function decodeManifest(payload: Buffer): Manifest {
  if (!matchesDigest(payload)) throw damagedArchive("its manifest does not match its digest");
  const json = payload.subarray(digestBytes);
  const manifest = parseJson(json);
  if (manifest.format !== formatName)
    throw malformedArchive(`its manifest names the format ${shown(manifest.format)}`);
  if (!isCount(manifest.version) || manifest.version < 1)
    throw malformedArchive("its manifest has no format version");
  if (manifest.version > formatVersion)
    throw unsupportedArchive(
      `the archive has format version ${manifest.version}, and this daemon reads up to ${formatVersion}: use a newer one`,
    );
  requireShape(manifest);
  const signature = signatureIn(json, (manifest as { key_id?: unknown }).key_id);
  return { ...knownPart(manifest), ...(signature ? { signature } : {}) };
}

function parseJson(json: Buffer): Manifest {
  if (json.length > maxManifestBytes) throw malformedArchive("its manifest is too large");
  try {
    return Object(parseBoundedJson(json, bounds)) as Manifest;
  } catch (cause) {
    throw malformedArchive("its manifest is not JSON, or far more than an archive needs", cause);
  }
}

/** A value as a message shows it: a text cut short, of anything else its type. */
function shown(value: unknown): string {
  if (typeof value !== "string") return `(${typeof value})`;
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
}

// The digest shows that a manifest is as it was written, not that its writer was honest.
function requireShape(manifest: Manifest): void {
  const { environment, frames, index } = manifest;
  const counts = [
    manifest.generation,
    manifest.file_count,
    manifest.content_bytes,
    index?.bytes,
    manifest.appended_bytes ?? 0,
  ];
  const sound =
    isText(manifest.namespace) &&
    isText(manifest.created_at, longestDate) &&
    typeof manifest.environment_key === "string" &&
    isEnvironment(environment) &&
    isDigest(index?.sha256) &&
    counts.every(isCount) &&
    isPath(manifest.local_dir ?? "/") &&
    isPath(manifest.other_dir ?? "/") &&
    Array.isArray(frames) &&
    frames.every(isFrame);
  if (!sound) throw malformedArchive("a field of its manifest is missing, or has the wrong type");
  const superseded = frames.reduce((sum, frame) => sum + (frame.superseded?.length ?? 0), 0);
  if (frames.length > maxFrames || index.bytes > maxIndexBytes || superseded > maxSuperseded)
    throw malformedArchive(
      "it has far more frames, index or superseded files than an archive needs",
    );
  if (Number.isNaN(Date.parse(manifest.created_at)))
    throw malformedArchive("its creation time is not a date");
  if (keyOf(environment) !== manifest.environment_key)
    throw malformedArchive("its environment does not match its environment key");
}

function isFrame(frame: FrameRecord | null): boolean {
  return (
    isDigest(frame?.sha256) &&
    isCount(frame?.bytes) &&
    isCount(frame?.index_bytes) &&
    isCount(frame?.content_bytes) &&
    areNames(frame?.superseded ?? []) &&
    isPath(frame?.local_dir ?? "/") &&
    isPath(frame?.other_dir ?? "/") &&
    (frame as FrameRecord).bytes <= maxFrameBytes &&
    (frame as FrameRecord).content_bytes <= maxFrameContentBytes &&
    (frame as FrameRecord).index_bytes <=
      maxPackedSectionBytes((frame as FrameRecord).content_bytes)
  );
}

function isEnvironment(environment: Environment | undefined): boolean {
  const versions = [
    environment?.torchVersion,
    environment?.cudaVersion,
    environment?.computeCapability,
    environment?.tritonVersion,
  ];
  const labels = environment?.extra;
  return (
    versions.every((text) => typeof text === "string") &&
    typeof labels === "object" &&
    labels !== null &&
    Object.values(labels).every((text) => typeof text === "string")
  );
}

/** What is known of a manifest; whatever else it holds goes no further. */
function knownPart(manifest: Manifest): Manifest {
  const { environment, index } = manifest;
  const { torchVersion, cudaVersion, computeCapability, tritonVersion, extra } = environment;
  return {
    format: manifest.format,
    version: manifest.version,
    namespace: manifest.namespace,
    environment: { torchVersion, cudaVersion, computeCapability, tritonVersion, extra },
    environment_key: manifest.environment_key,
    generation: manifest.generation,
    created_at: manifest.created_at,
    tool: isText(manifest.tool) ? manifest.tool : "",
    origin: knownOrigin(manifest.origin),
    file_count: manifest.file_count,
    content_bytes: manifest.content_bytes,
    ...knownDirectories(manifest),
    ...(manifest.appended_bytes === undefined ? {} : { appended_bytes: manifest.appended_bytes }),
    frames: manifest.frames.map((frame) => ({
      bytes: frame.bytes,
      sha256: frame.sha256,
      content_bytes: frame.content_bytes,
      index_bytes: frame.index_bytes,
      ...(frame.superseded === undefined ? {} : { superseded: frame.superseded }),
      ...knownDirectories(frame),
    })),
    index: { bytes: index.bytes, sha256: index.sha256 },
  };
}

/** It is for people alone: what is no text of it is passed over. */
function knownOrigin(origin: Origin | undefined): Origin {
  const { saver, revision } = Object(origin) as Origin;
  return {
    ...(isText(saver, longestOriginText) ? { saver } : {}),
    ...(isText(revision, longestOriginText) ? { revision } : {}),
  };
}

function knownDirectories(record: Pick<FrameRecord, "local_dir" | "other_dir">) {
  const { local_dir, other_dir } = record;
  return {
    ...(local_dir === undefined ? {} : { local_dir }),
    ...(other_dir === undefined ? {} : { other_dir }),
  };
}

/** The key of an environment; undefined if no request could name it. */
function keyOf(environment: Environment): string | undefined {
  try {
    return parseEnvironment(environment).environmentKey;
  } catch {
    return undefined;
  }
}

const longestText = 256;
const longestDate = 64;

function isText(value: unknown, longest = longestText): value is string {
  return typeof value === "string" && value.length <= longest;
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => isText(text, maxPathBytes));
}

function isPath(value: unknown): boolean {
  return typeof value === "string" && value.startsWith("/") && value.length < maxPathBytes;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
