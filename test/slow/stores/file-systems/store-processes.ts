import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answer } from "./store-process.ts";
import type { Done, Order } from "./store-work.ts";

const program = fileURLToPath(import.meta.resolve("./store-process.ts"));

/** A process that works on a store, one order at a time. */
export interface StoreProcess {
  /** Throws if the order failed, or the process ended. */
  run(order: Order): Promise<Done>;
  /** Ends it with SIGKILL, and waits until it has. */
  kill(): Promise<void>;
}

/** Starts processes, and waits until they can take orders. */
export async function startStoreProcesses(count: number): Promise<StoreProcess[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const child = fork(program, { serialization: "advanced" });
      const ended = once(child, "exit");
      const next = async () => {
        const [message] = await Promise.race([once(child, "message"), ended.then(() => [])]);
        if (message === undefined) throw new Error("the process ended");
        return message as Answer;
      };
      await next();
      return {
        async run(order) {
          child.send(order, () => {});
          const answer = await next();
          if ("failure" in answer) throw new Error(answer.failure);
          return answer;
        },
        async kill() {
          child.kill("SIGKILL");
          await ended;
        },
      } satisfies StoreProcess;
    }),
  );
}
