/** Where files were saved from and where they are loaded, as their clients see these directories. */
export interface Relocation {
  readonly from: string;
  readonly to: string;
}

/** A file with its paths moved along. */
export interface RelocatedContent {
  readonly size: number;
  /** Its bytes; each piece is valid until the next. */
  pieces(): Iterable<Uint8Array>;
}
