import { hash } from "node:crypto";
import { CacheError } from "../../domain/cache-error.ts";
import type { ArchiveFormat } from "../../domain/cache-id.ts";
import type { ArchiveWriter } from "../../store/store.ts";
import { encodeIndexSection } from "../format/file-index.ts";
import { indexMagic, skippableFrame } from "../format/format.ts";
import { encodeManifest, type FrameRecord, type Manifest } from "../format/manifest.ts";
import { encodeSeekTable } from "../format/seek-table.ts";
import { tarTrailer } from "../format/tar-header.ts";
import { compressFrame, type PackedFrame } from "./frame-packer.ts";

/** What a manifest says beyond what the frames themselves tell. */
export type ManifestHead = Omit<Manifest, "file_count" | "content_bytes" | "frames" | "index">;

/** Puts an archive together: data frames in the order of the tar stream, then all that follows them. */
export class ArchiveAssembler {
  readonly #writer: ArchiveWriter;
  readonly #format: ArchiveFormat;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal;
  readonly #frames: FrameRecord[] = [];
  readonly #sections: Uint8Array[] = [];

  constructor(options: {
    writer: ArchiveWriter;
    format: ArchiveFormat;
    maxArchiveBytes: number;
    signal: AbortSignal;
  }) {
    this.#writer = options.writer;
    this.#format = options.format;
    this.#maxBytes = options.maxArchiveBytes;
    this.#signal = options.signal;
  }

  /** Adds a frame as it is. Throws CACHE_TOO_LARGE. */
  async addFrame(frame: Uint8Array, record: FrameRecord, section: Uint8Array): Promise<void> {
    await this.#write(frame);
    this.#frames.push(record);
    this.#sections.push(section);
  }

  addPacked({ frame, sha256, contentBytes, section }: PackedFrame): Promise<void> {
    const record = {
      bytes: frame.length,
      sha256,
      content_bytes: contentBytes,
      index_bytes: section.length,
    };
    return this.addFrame(frame, record, section);
  }

  /** Says that a later frame holds newer ones of these files of an earlier frame. */
  supersede(frame: number, names: readonly string[]): void {
    const record = this.#frames[frame];
    if (record && names.length > 0)
      this.#frames[frame] = { ...record, superseded: [...(record.superseded ?? []), ...names] };
  }

  /** Ends the tar stream, and in our own format adds file index, manifest and seek table. */
  async finish(head: ManifestHead, totals: { fileCount: number; bytes: number }): Promise<void> {
    const frame = compressFrame(tarTrailer, this.#format);
    await this.addPacked({
      frame,
      sha256: hash("sha256", frame, "hex"),
      contentBytes: tarTrailer.length,
      section: encodeIndexSection([]),
      fileCount: 0,
      bytes: 0,
      changed: [],
    });
    if (this.#format !== "tar.zst") return;
    const index = skippableFrame(indexMagic, Buffer.concat(this.#sections));
    const manifest = encodeManifest({
      ...head,
      file_count: totals.fileCount,
      content_bytes: totals.bytes,
      frames: this.#frames,
      index: { bytes: index.length, sha256: hash("sha256", index, "hex") },
    });
    const seekTable = encodeSeekTable([
      ...this.#frames.map(({ bytes, content_bytes }) => ({ bytes, contentBytes: content_bytes })),
      { bytes: index.length, contentBytes: 0 },
      { bytes: manifest.length, contentBytes: 0 },
    ]);
    for (const piece of [index, manifest, seekTable]) await this.#write(piece);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    if (this.#writer.bytesWritten + chunk.length > this.#maxBytes)
      throw new CacheError(
        "CACHE_TOO_LARGE",
        `the archive would have more than ${this.#maxBytes} bytes (MAX_CACHE_SIZE_MB)`,
      );
    await this.#writer.write(chunk, this.#signal);
  }
}
