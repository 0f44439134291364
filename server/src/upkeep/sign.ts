import { openArchive } from "../archive/format/open-archive.ts";
import { ArchiveAssembler } from "../archive/pack/assembler.ts";
import { CacheError } from "../domain/cache-error.ts";
import { requireItsName } from "../flows/stored-archives.ts";
import { type ArchiveName, ArchiveReplaced } from "../store/store.ts";
import { pathOf, type ReadSoFar, type UpkeepContext } from "./context.ts";

/** What became of an archive that was to be signed. */
export type SignResult =
  | "signed"
  /** By this key already. */
  | "is signed"
  /** Another tool made it, and there is nothing to sign. */
  | "has no manifest"
  /** Another save came first, or it is gone. */
  | "has changed";

/**
 * Signs an archive as it is stored, with the context's key: every frame is verified, and the archive
 * written anew in place of that very one. Yields the bytes so far. Throws the archive's error where it is
 * not sound, is another cache's, or is signed by none of the keys that the context trusts, if it names any.
 */
export async function* signArchive(
  { store, work, limits, trust }: UpkeepContext,
  name: ArchiveName,
  signal: AbortSignal,
): AsyncGenerator<ReadSoFar, SignResult> {
  const { signer } = trust;
  if (!signer) throw new CacheError("INVALID_REQUEST", "there is no key to sign with");
  await using reader = await store.open(name, signal);
  if (!reader) return "has changed";
  const archive = await openArchive(reader, work, signal);
  if (!archive) return "has no manifest";
  // Where it has another's name, whoever may write the store could move it to its own.
  requireItsName(name, archive);
  if (trust.isOurs(archive)) return "is signed";
  trust.requireTrusted(pathOf(name), archive);
  const writer = await store.create(name, signal);
  try {
    const assembler = new ArchiveAssembler({ writer, format: "tar.zst", limits, signal });
    const frames = await archive.readIndex(signal);
    // The last frame only ends the tar stream, as the assembler does.
    for (const frame of frames.slice(0, -1)) {
      await assembler.carryOver(await archive.readVerifiedFrame(frame, signal), frame);
      yield { done: frame.offset + frame.bytes, total: reader.bytes };
    }
    const { namespace, environment, environmentKey } = archive;
    const { generation, createdAt, appendedBytes, savedFrom, origin } = archive;
    const head = {
      ...{ namespace, environment, environmentKey },
      ...{ generation, createdAt, appendedBytes, savedFrom, origin },
    };
    const totals = { fileCount: archive.fileCount, bytes: archive.contentBytes };
    await assembler.finish(head, totals, signer);
    const result = await writer.commit({ replaces: reader.version }, signal);
    return result === "committed" ? "signed" : "has changed";
  } catch (error) {
    if (error instanceof ArchiveReplaced) return "has changed";
    throw error;
  } finally {
    await writer.abort();
  }
}
