import * as fs from "node:fs";
import { type OpenStage, touchStage } from "../local/stage.ts";

/** What is done at once, without a thread and without an answer, where the descriptors are. */
export type Note =
  /** Marks a stage as in use. */
  | { readonly touch: OpenStage }
  /** Closes descriptors. A close that fails, as on a dead mount, changes nothing. */
  | { readonly close: readonly number[] };

/** Does what a note says, without waiting. */
export function heed(note: Note): void {
  if ("touch" in note) touchStage(note.touch);
  else for (const fd of note.close) fs.close(fd, () => {});
}
