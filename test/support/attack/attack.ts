import type { Target } from "./peer.ts";

/** Begins an attack, and returns what ends it. */
export type Attack = (target: Target, known: Known) => () => void;

/** What an attacker knows of the daemon: a transfer, and a directory that it may name. */
export interface Known {
  readonly operationId: string;
  readonly localDir: string;
}
