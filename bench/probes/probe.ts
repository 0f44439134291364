import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { atExit } from "../../fixtures/at-exit.ts";

/** A process beside the bench, so that its work is neither the bench's nor the daemon's. */
export interface Probe {
  tell(message: object | string): void;
  /** The next answer. */
  answer(): Promise<unknown>;
  stop(): void;
}

/** Starts one of the programs in this folder. */
export function startProbe(name: "get-transfer" | "watchers" | "burn", address = ""): Probe {
  const child = fork(fileURLToPath(import.meta.resolve(`./${name}.ts`)), [address]);
  const ended = once(child, "exit").then(() => {
    throw new Error(`the probe ${name} ended too soon`);
  });
  ended.catch(() => {});
  return {
    tell: (message) => void child.send(message),
    answer: async () => (await Promise.race([once(child, "message"), ended]))[0],
    stop: atExit(() => child.kill()),
  };
}
