/**
 * The directory that files were saved from and the one that they are loaded into, each by the path that
 * its client sees.
 */
export interface Relocation {
  readonly from: string;
  readonly to: string;
}

/** The content of a file after its paths were rewritten. Sizes are in bytes. */
export interface RelocatedContent {
  readonly size: number;
  /** Its content; each piece is valid only until the next is taken. */
  pieces(): Iterable<Uint8Array>;
}
