import type { ChildProcess } from "node:child_process";
import { MessagePort } from "node:worker_threads";
import { CacheError } from "../../domain/cache-error.ts";
import type { User } from "../../local/open-directory.ts";
import { type Answer, errorOf, resultOf } from "../failure.ts";
import type { WorkerPool } from "../worker-pool.ts";
import type { FromUserProcess, ToUserProcess } from "./messages.ts";
import { withOwnBytes } from "./own-bytes.ts";

/** How long a process may take to end once nothing is under way. */
const closesWithinMs = 5_000;

/** The daemon's end of a user's process. */
export class UserProcess implements WorkerPool {
  readonly threads: number;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #jobs = new Map<number, { settle: (answer: Answer) => void; port?: MessagePort }>();
  #lastJob = 0;
  #fault: CacheError | undefined;

  constructor(child: ChildProcess, user: User, threads: number) {
    this.threads = threads;
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ended = ended.promise;
    const end = (fault: CacheError) => {
      this.#fault ??= fault;
      ready.reject(this.#fault);
      ended.resolve();
      const { reason, message } = this.#fault;
      const failure = { reason, message, cause: undefined, violations: [], provesDamage: false };
      for (const { settle } of this.#jobs.values()) settle({ failure });
    };
    child.on("message", (message: FromUserProcess) => {
      if ("ready" in message) ready.resolve();
      else if ("refused" in message) ready.reject(errorOf(message.refused));
      else if ("answered" in message)
        this.#jobs.get(message.answered)?.settle(withOwnBytes(message.answer).message);
      else if ("port" in message) this.#jobs.get(message.port)?.port?.postMessage(message.message);
    });
    child.once("error", (error) => end(cannotStart(error)));
    child.once("exit", (code, signalName) => end(hasEnded(user, signalName ?? `code ${code}`)));
    child.channel?.unref();
  }

  async run<T>(name: string, job: unknown, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    if (this.#fault) throw this.#fault;
    const id = ++this.#lastJob;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const port = (job as { port?: unknown } | undefined)?.port;
    const hasPort = port instanceof MessagePort;
    this.#jobs.set(id, { settle: resolve, ...(hasPort ? { port } : {}) });
    if (hasPort) port.on("message", (message) => this.#send({ port: id, message }));
    const onAbort = () => this.#send({ cancel: id });
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const sent = hasPort ? { ...(job as object), port: undefined } : job;
      this.#send({ run: id, name: name as never, job: sent, hasPort });
      return resultOf(await promise, signal) as T;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#jobs.delete(id);
      if (hasPort) port.close();
    }
  }

  tell(note: Parameters<WorkerPool["tell"]>[0]): void {
    this.#send({ note });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.kill(), closesWithinMs);
    await this.ended;
    clearTimeout(timer);
  }

  #send(message: ToUserProcess): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }
}

/** The error of a process that could not be started. */
export function cannotStart(cause: unknown): CacheError {
  return new CacheError("OVERLOADED", `the daemon cannot start a process now: ${cause}`, { cause });
}

function hasEnded({ uid }: User, how: string): CacheError {
  return new CacheError(
    "LOCAL_UNAVAILABLE",
    `the process that worked with the rights of user ${uid} was ended by something else (${how}): try again`,
  );
}
