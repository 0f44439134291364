import type { Manifest } from "./manifest.ts";

/** The expensive step of opening an archive, which runs on a worker thread, for a signal. */
export interface FormatWork {
  /**
   * Reads the payload of a manifest's frame: see decodeManifest. Its buffer moves to the thread, and is
   * empty afterwards.
   */
  decodeManifest(payload: Uint8Array): Promise<Manifest>;
}
