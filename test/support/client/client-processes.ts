import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CacheClient, LoadResult, SaveResult } from "compilecache-client";
import type { Answer, Order } from "./client-process.ts";

const program = fileURLToPath(import.meta.resolve("./client-process.ts"));

type Input<M extends "load" | "save"> = Parameters<CacheClient[M]>[0];
/** Receives the operation id of a call's transfer as soon as the daemon has started or joined it. */
type OnStarted = (operationId: string) => void;
type Unnumbered<O> = O extends Order ? Omit<O, "number"> : never;

/** A client in a process of its own. */
export interface ClientProcess {
  /** Connects, so that the next call starts at once. */
  connect(address: string): Promise<void>;
  load(address: string, input: Input<"load">, onStarted?: OnStarted): Promise<LoadResult>;
  save(address: string, input: Input<"save">, onStarted?: OnStarted): Promise<SaveResult>;
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
    const call = callerOf(child);
    return {
      connect: async (address) => {
        await call({ address, method: "listTransfers", input: {} });
      },
      load: async (address, input, onStarted) =>
        (await call({ address, method: "load", input }, onStarted)) as LoadResult,
      save: async (address, input, onStarted) =>
        (await call({ address, method: "save", input }, onStarted)) as SaveResult,
      kill: () => child.kill("SIGKILL"),
    };
  });
}

/** Returns a function that sends orders to a process, any number at once; all fail when it ends. */
function callerOf(child: ChildProcess) {
  const death = deathOf(child);
  death.catch(() => {});
  const hear = new Map<number, (answer: Answer) => void>();
  child.on("message", (answer: Answer) => hear.get(answer.number)?.(answer));
  let orders = 0;
  return (order: Unnumbered<Order>, onStarted: OnStarted = () => {}): Promise<unknown> => {
    const number = orders++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    hear.set(number, (answer) => {
      if ("started" in answer) onStarted(answer.started);
      else if ("failure" in answer) reject(new Error(answer.failure));
      else resolve(answer.result);
    });
    child.send({ ...order, number });
    return Promise.race([promise, death]);
  };
}

async function deathOf(child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, "exit");
  throw new Error(`the client process ended with ${signal ?? code}`);
}
