import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { atExit } from "../../fixtures/at-exit.ts";

/** A process of its own, so that its work counts neither as the bench's nor as the daemon's. */
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
    throw new Error(`the probe ${name} ended too early`);
  });
  ended.catch(() => {});
  return {
    tell: (message) => void child.send(message),
    answer: async () => (await Promise.race([once(child, "message"), ended]))[0],
    stop: atExit(() => child.kill()),
  };
}
