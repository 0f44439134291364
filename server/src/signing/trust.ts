import type { ManifestSignature } from "../archive/format/signature.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { SigningKey, TrustedKey } from "./keys.ts";

/** Who signs what is saved, and whose signatures count. */
export interface Signing {
  /** Absent: what is saved is not signed. */
  readonly key?: SigningKey | undefined;
  /** Absent: whatever is stored is loaded, whoever signed it. */
  readonly trusted?: readonly TrustedKey[] | undefined;
}

/** What an archive tells of its age and its signer, both unproven. */
export interface Signed {
  readonly signature: ManifestSignature | undefined;
  readonly generation: number;
  readonly createdAt: Date;
}

type Age = Pick<Signed, "generation" | "createdAt">;

/** How far the clocks of those who sign may be apart: one that was set in a wrong time zone, say. */
const mostClockSkewMs = 24 * 3_600_000;

/** How long the save of an archive may go on after its time was taken, while another is faster. */
const mostCommitMs = 60_000;

/** How many caches are remembered by their newest archive. */
const mostRemembered = 10_000;

/** Judges stored archives by their signatures. What it refuses stays where it is. */
export class Trust {
  #signing: Signing;
  /** The newest archive of each cache that this daemon has trusted. */
  readonly #newest = new Map<string, Age>();

  constructor(signing: Signing) {
    this.#signing = signing;
  }

  /** Goes by other keys from now on. */
  use(signing: Signing): void {
    this.#signing = signing;
  }

  /** The key that signs what is saved, if there is one. */
  get signer(): SigningKey | undefined {
    return this.#signing.key;
  }

  /**
   * Requires that a trusted key signed the archive of a cache, and that it is no older one than was
   * there before; undefined is an archive of another tool. Throws ARCHIVE_UNTRUSTED.
   */
  requireTrusted(cache: string, archive: Signed | undefined): void {
    const { trusted } = this.#signing;
    if (!trusted) return;
    this.#requireNewest(cache, requireSignedBy(this.#known, archive));
  }

  /**
   * Requires that a new archive may take over what is in this one: what is signed must be trusted, and
   * must not lose its signature. Throws ARCHIVE_UNTRUSTED.
   */
  requireUnited(cache: string, archive: Signed | undefined): void {
    const { key } = this.#signing;
    if (key) requireSignedBy(this.#known, archive);
    this.requireTrusted(cache, archive);
    if (!key && archive?.signature)
      throw untrusted(
        "the archive is signed, and this daemon has no key to sign what it adds: give it one " +
          "(COMPILE_CACHE_SIGNING_KEY), or replace the stored cache",
      );
  }

  /**
   * Requires that this daemon would load what it saves: unsigned, it would take a name of the store and
   * be refused by all. Throws ARCHIVE_UNTRUSTED.
   */
  requireOwnTrusted(): void {
    const { key, trusted } = this.#signing;
    if (!trusted || key) return;
    throw untrusted(
      "this daemon loads only what is signed (COMPILE_CACHE_TRUSTED_KEYS), and has no key to sign what " +
        "it saves: give it one (COMPILE_CACHE_SIGNING_KEY), or save where there is one",
    );
  }

  /** Whether the own key signed an archive. Throws ARCHIVE_UNTRUSTED where it is only said to have. */
  isOurs(archive: Signed): boolean {
    const { key } = this.#signing;
    if (!key || archive.signature?.keyId !== key.id) return false;
    requireSignedBy([key.trusted], archive);
    return true;
  }

  /**
   * Who signed an archive, for people: of the keys that this daemon knows only what is proven, of others
   * what the archive says itself; undefined for nobody.
   */
  signerOf({ signature }: Pick<Signed, "signature">): string | undefined {
    const key = this.#known.find(({ id }) => id === signature?.keyId);
    return signature && (!key || holds(key, signature)) ? signature.keyId : undefined;
  }

  /** Keys that are trusted, and the own one. */
  get #known(): readonly TrustedKey[] {
    const { key, trusted = [] } = this.#signing;
    const others = trusted.filter(({ id }) => id !== key?.id);
    return key ? [...others, key.trusted] : others;
  }

  /** Whoever may write the store may put an earlier archive back, which is signed just as well. */
  #requireNewest(cache: string, { generation, createdAt }: Signed): void {
    const seen = this.#newest.get(cache);
    if (seen && isOlder({ generation, createdAt }, seen))
      throw untrusted(
        `the archive is of generation ${generation} (${createdAt.toISOString()}), and one of generation ` +
          `${seen.generation} (${seen.createdAt.toISOString()}) was there before: somebody put an old one ` +
          "back. Save with the policy replace, or restart this daemon if that is what you want",
      );
    this.#newest.delete(cache);
    const latest = seen && seen.createdAt > createdAt ? seen.createdAt : createdAt;
    // What a wrong clock dated to come must not stand in the way of all that follows.
    const now = new Date();
    this.#newest.set(cache, { generation, createdAt: latest < now ? latest : now });
    if (this.#newest.size > mostRemembered)
      this.#newest.delete(this.#newest.keys().next().value as string);
  }
}

/**
 * Whether an archive was there before another one. A cache that was removed begins at the first
 * generation again, and a refresh may be dated a little before what it refreshed, by another clock; of
 * two that replace one archive at the same moment, the earlier may be committed last.
 */
function isOlder(one: Age, other: Age): boolean {
  const ms = other.createdAt.getTime() - one.createdAt.getTime();
  if (one.generation < other.generation) return ms > 0;
  return ms > (one.generation === other.generation ? mostCommitMs : mostClockSkewMs);
}

function requireSignedBy(known: readonly TrustedKey[], archive: Signed | undefined): Signed {
  const signature = archive?.signature;
  const names = known.map(({ id }) => id).join(", ");
  if (!signature)
    throw untrusted(`the archive is not signed, and only those of these keys count: ${names}`);
  const key = known.find(({ id }) => id === signature.keyId);
  if (!key)
    throw untrusted(
      `the archive is signed by the key ${signature.keyId}, and only these count: ${names}`,
    );
  if (!holds(key, signature))
    throw untrusted(`the archive names the key ${signature.keyId}, which did not sign it`);
  return archive;
}

function holds(key: TrustedKey, { value, text }: ManifestSignature): boolean {
  return key.made(value, text);
}

function untrusted(message: string): CacheError {
  return new CacheError("ARCHIVE_UNTRUSTED", message);
}
