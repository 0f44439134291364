/** Who saved a cache and from what, in words that the saver's configuration gives. */
export interface Origin {
  /** A name of the daemon, by default that of its machine. */
  readonly saver?: string;
  /** What it was saved from: the digest of an image, or a commit. */
  readonly revision?: string;
}

/** The longest text of an origin, in UTF-16 code units. */
export const longestOriginText = 256;
