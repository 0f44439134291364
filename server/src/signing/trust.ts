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

/** How many caches are remembered by their newest archive. */
const mostRemembered = 10_000;

/** Judges stored archives by their signatures. What it refuses stays where it is. */
export class Trust {
  #signing: Signing;
  /** The newest archive of each cache that this daemon has trusted. */
  readonly #newest = new Map<string, Pick<Signed, "generation" | "createdAt">>();

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

  /** Whether that key signed an archive. Throws ARCHIVE_UNTRUSTED where it is only said to have. */
  isSignedByUs({ signature }: Signed): boolean {
    const { key } = this.#signing;
    if (!key || signature?.keyId !== key.id) return false;
    requireSignedBy([key.trusted], { signature });
    return true;
  }

  /**
   * Requires that a trusted key signed the archive of a cache, and that it is no older one than was
   * there before; undefined is an archive of another tool. Throws ARCHIVE_UNTRUSTED.
   */
  requireTrusted(cache: string, archive: Signed | undefined): void {
    const { key, trusted } = this.#signing;
    if (!trusted) return;
    requireSignedBy(key ? [...trusted, key.trusted] : trusted, archive);
    this.#requireNewest(cache, archive as Signed);
  }

  /**
   * Requires that a new archive may take over what is in this one: what is signed must be trusted, and
   * must not lose its signature. Throws ARCHIVE_UNTRUSTED.
   */
  requireUnited(cache: string, archive: Signed | undefined): void {
    const { key, trusted } = this.#signing;
    if (key) requireSignedBy([...(trusted ?? []), key.trusted], archive);
    else if (archive?.signature)
      throw untrusted(
        "the archive is signed, and this daemon has no key to sign what it adds: give it one " +
          "(COMPILE_CACHE_SIGNING_KEY), or replace the stored cache",
      );
    if (trusted) this.#requireNewest(cache, archive as Signed);
  }

  /** Whoever may write the store may put an earlier archive back, which is signed just as well. */
  #requireNewest(cache: string, { generation, createdAt }: Signed): void {
    const seen = this.#newest.get(cache);
    if (seen && generation < seen.generation && createdAt < seen.createdAt)
      throw untrusted(
        `the archive is of generation ${generation} (${createdAt.toISOString()}), and one of generation ` +
          `${seen.generation} (${seen.createdAt.toISOString()}) was there before: somebody put an old one ` +
          "back. Save again, or restart this daemon if that is what you want",
      );
    this.#newest.delete(cache);
    this.#newest.set(cache, { generation, createdAt });
    if (this.#newest.size > mostRemembered)
      this.#newest.delete(this.#newest.keys().next().value as string);
  }
}

function requireSignedBy(
  trusted: readonly TrustedKey[],
  archive: Pick<Signed, "signature"> | undefined,
): void {
  const signature = archive?.signature;
  const names = trusted.map(({ id }) => id).join(", ");
  if (!signature)
    throw untrusted(`the archive is not signed, and only those of these keys count: ${names}`);
  const { keyId, value, text } = signature;
  const key = trusted.find(({ id }) => id === keyId);
  if (!key)
    throw untrusted(`the archive is signed by the key ${keyId}, and only these count: ${names}`);
  if (!key.made(value, text))
    throw untrusted(`the archive names the key ${keyId}, which did not sign it`);
}

function untrusted(message: string): CacheError {
  return new CacheError("ARCHIVE_UNTRUSTED", message);
}
