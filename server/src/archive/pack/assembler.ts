import { hash } from "node:crypto";
import { CacheError } from "../../domain/cache-error.ts";
import type { ArchiveFormat } from "../../domain/cache-id.ts";
import { type Limits, tooLarge } from "../../domain/limits.ts";
import type { ArchiveWriter } from "../../store/store.ts";
import { encodeIndexSection } from "../format/file-index.ts";
import {
  indexMagic,
  maxFrames,
  maxIndexBytes,
  maxManifestBytes,
  maxSuperseded,
  skippableFrame,
} from "../format/format.ts";
import {
  type ArchiveHead,
  type ArchiveTotals,
  encodeManifest,
  type FrameRecord,
  manifestOf,
  recordOf,
} from "../format/manifest.ts";
import type { IndexedFrame } from "../format/open-archive.ts";
import { encodeSeekTable } from "../format/seek-table.ts";
import type { Signer } from "../format/signature.ts";
import { tarTrailer } from "../format/tar-header.ts";
import { compressFrame, type PackedFrame } from "./frame-packer.ts";

/** Writes an archive: data frames in the order of the tar stream, then what follows them. */
export class ArchiveAssembler {
  readonly #writer: ArchiveWriter;
  readonly #format: ArchiveFormat;
  readonly #limits: Limits;
  readonly #signal: AbortSignal;
  readonly #frames: FrameRecord[] = [];
  readonly #sections: Uint8Array[] = [];

  constructor(options: {
    writer: ArchiveWriter;
    format: ArchiveFormat;
    limits: Limits;
    signal: AbortSignal;
  }) {
    this.#writer = options.writer;
    this.#format = options.format;
    this.#limits = options.limits;
    this.#signal = options.signal;
  }

  /** Adds a frame that was packed now. Throws CACHE_TOO_LARGE. */
  addPacked({ frame, sha256, contentBytes, section }: PackedFrame): Promise<void> {
    const record = {
      bytes: frame.length,
      sha256,
      content_bytes: contentBytes,
      index_bytes: section.length,
    };
    return this.#add(frame, record, section);
  }

  /** Adds a frame of another archive unchanged. Throws CACHE_TOO_LARGE. */
  carryOver(bytes: Uint8Array, { record, savedFrom, section }: IndexedFrame): Promise<void> {
    // The files in it hold paths of the directory that they were saved from.
    const origin = savedFrom === undefined ? {} : recordOf(savedFrom);
    return this.#add(bytes, { ...origin, ...record }, section);
  }

  /** Records that a later frame holds newer versions of these files of frame number `frame`. */
  supersede(frame: number, names: readonly string[]): void {
    const record = this.#frames[frame];
    if (record && names.length > 0)
      this.#frames[frame] = { ...record, superseded: [...(record.superseded ?? []), ...names] };
  }

  /**
   * Ends the tar stream and, for `tar.zst`, adds file index, manifest and seek table; `signer` signs
   * them. Throws CACHE_TOO_LARGE.
   */
  async finish(head: ArchiveHead, totals: ArchiveTotals, signer?: Signer): Promise<void> {
    const frame = compressFrame(tarTrailer, this.#format);
    await this.addPacked({
      frame,
      sha256: hash("sha256", frame, "hex"),
      contentBytes: tarTrailer.length,
      section: encodeIndexSection([]),
      fileCount: 0,
      bytes: 0,
      notPacked: [],
    });
    if (this.#format !== "tar.zst") return;
    const index = skippableFrame(indexMagic, Buffer.concat(this.#sections));
    this.#requireReadable(index);
    const manifest = encodeManifest(
      manifestOf(head, totals, {
        frames: this.#frames,
        index: { bytes: index.length, sha256: hash("sha256", index, "hex") },
      }),
      signer,
    );
    if (manifest.length > maxManifestBytes) throw needsPackingAfresh();
    const seekTable = encodeSeekTable([
      ...this.#frames.map(({ bytes, content_bytes }) => ({ bytes, contentBytes: content_bytes })),
      { bytes: index.length, contentBytes: 0 },
      { bytes: manifest.length, contentBytes: 0 },
    ]);
    for (const piece of [index, manifest, seekTable]) await this.#write(piece);
  }

  /** Throws CACHE_TOO_LARGE if a reader would refuse it for what it says of itself. */
  #requireReadable(index: Uint8Array): void {
    const superseded = this.#frames.reduce(
      (sum, frame) => sum + (frame.superseded?.length ?? 0),
      0,
    );
    const isModest = this.#frames.length <= maxFrames && superseded <= maxSuperseded;
    if (!isModest || index.length > maxIndexBytes) throw needsPackingAfresh();
  }

  async #add(frame: Uint8Array, record: FrameRecord, section: Uint8Array): Promise<void> {
    await this.#write(frame);
    this.#frames.push(record);
    this.#sections.push(section);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    const bytes = this.#writer.bytesWritten + chunk.length;
    if (bytes > this.#limits.maxArchiveBytes)
      throw tooLarge(this.#limits, "maxArchiveBytes", "the archive would have", "bytes", bytes);
    await this.#writer.write(chunk, this.#signal);
  }
}

function needsPackingAfresh(): CacheError {
  return new CacheError(
    "CACHE_TOO_LARGE",
    "the archive would list more frames or files than a load reads",
  );
}
