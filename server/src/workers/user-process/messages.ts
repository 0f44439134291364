import type { User } from "../../local/open-directory.ts";
import type { Answer, Failure } from "../failure.ts";
import type { Jobs } from "../jobs.ts";
import type { Note } from "../note.ts";
import type { PoolOptions } from "../worker-pool.ts";

/** What a user's process is started with, as JSON. */
export interface StartOptions extends PoolOptions {
  readonly user: User;
}

/** What the daemon sends to a user's process; a job is known by its number. */
export type ToUserProcess =
  | {
      readonly run: number;
      readonly name: keyof Jobs;
      readonly job: unknown;
      /** Whether the job has a port, the messages of which travel apart. */
      readonly hasPort: boolean;
    }
  | { readonly cancel: number }
  | PortMessage
  | { readonly note: Note };

/** What a user's process sends to the daemon: that it is ready, or why it cannot be, and answers. */
export type FromUserProcess =
  | { readonly ready: true }
  | { readonly refused: Failure }
  | { readonly answered: number; readonly answer: Answer }
  | PortMessage;

/** A message from one end of a job's port to the other. */
export interface PortMessage {
  readonly port: number;
  readonly message: unknown;
}

/** The descriptors that a user's process inherits begin here, behind those of the system and the channel. */
export const firstInheritedFd = 4;
