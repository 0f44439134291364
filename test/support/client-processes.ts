import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CacheClient, LoadResult, SaveResult } from "compilecache-client";
import type { Answer, Order } from "./client-process.ts";

const program = fileURLToPath(import.meta.resolve("./client-process.ts"));

type Input<M extends "load" | "save"> = Parameters<CacheClient[M]>[0];

/** A client in a process of its own, which makes one call at a time. */
export interface ClientProcess {
  /** Connects, so that the next call leaves at once. */
  connect(address: string): Promise<void>;
  load(address: string, input: Input<"load">): Promise<LoadResult>;
  save(address: string, input: Input<"save">): Promise<SaveResult>;
  /** Ends it with SIGKILL. */
  kill(): void;
}

/** Starts client processes, which are killed after the test or suite that `scope` stands for. */
export function startClients(
  scope: { after(cleanUp: () => void): void },
  count: number,
): ClientProcess[] {
  return Array.from({ length: count }, () => {
    const child = fork(program, { serialization: "advanced" });
    scope.after(() => {
      child.kill("SIGKILL");
    });
    const death = deathOf(child);
    death.catch(() => {});
    const call = async (order: Order) => {
      child.send(order);
      const [answer] = (await Promise.race([once(child, "message"), death])) as [Answer];
      if ("failure" in answer) throw new Error(answer.failure);
      return answer.result;
    };
    return {
      connect: async (address) => {
        await call({ address, method: "listTransfers", input: {} });
      },
      load: async (address, input) =>
        (await call({ address, method: "load", input })) as LoadResult,
      save: async (address, input) =>
        (await call({ address, method: "save", input })) as SaveResult,
      kill: () => child.kill("SIGKILL"),
    };
  });
}

async function deathOf(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, "exit");
  throw new Error(`the client process ended with ${signal ?? code}`);
}
