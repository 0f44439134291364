import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { TestContext } from "node:test";

/** Where a call is held: before the server sees it, or when the server has answered. */
export type HeldPart = "call" | "answer";

/** Chooses calls by their method and their path, query included. */
export type CallFilter = (method: string, path: string) => boolean;

/** A call that is, or will be, held up. */
export interface Held {
  /** Resolves when it is held. */
  readonly reached: Promise<void>;
  /** Lets it go; resolves once the server has answered it, even if the caller has gone. */
  release(): Promise<void>;
  /** Breaks the caller's connection instead. */
  lose(): void;
}

/** A proxy before an object server that can hold calls up. */
export interface HoldingProxy {
  readonly endpoint: string;
  /** Holds the next call of this kind. */
  hold(filter: CallFilter, part: HeldPart): Held;
}

interface Hold {
  readonly filter: CallFilter;
  readonly part: HeldPart;
  readonly reached: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
  readonly answered: PromiseWithResolvers<void>;
}

/** A commit of an archive, in one request or in parts. */
export const isCommit: CallFilter = (method, path) => {
  const { pathname, searchParams } = new URL(path, "http://server");
  const isWhole = method === "PUT" && !searchParams.has("uploadId");
  const completes = method === "POST" && searchParams.has("uploadId");
  return pathname.endsWith(".tar.zst") && (isWhole || completes);
};

/** The call that ends a daemon's probe of conditions. */
export const isProbeRemoval: CallFilter = (method, path) =>
  method === "DELETE" && path.includes("/.probe-") && !path.includes("uploadId");

/** Puts a proxy before a server's port; it ends with the test. */
export async function startHoldingProxy(t: TestContext, serverPort: number): Promise<HoldingProxy> {
  const holds: Hold[] = [];
  const proxy = createServer((call, response) => {
    const { method = "", url: path = "" } = call;
    const at = holds.findIndex(({ filter }) => filter(method, path));
    const [hold] = at < 0 ? [] : holds.splice(at, 1);
    passOn(serverPort, call, response, hold).catch(() => response.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return {
    endpoint: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    hold(filter, part) {
      const hold = {
        filter,
        part,
        reached: Promise.withResolvers<void>(),
        released: Promise.withResolvers<void>(),
        answered: Promise.withResolvers<void>(),
      };
      holds.push(hold);
      return {
        reached: hold.reached.promise,
        release() {
          hold.released.resolve();
          return hold.answered.promise;
        },
        lose: () => hold.released.reject(new Error("lost")),
      };
    },
  };
}

/** Passes a whole call on, then its whole answer back. */
async function passOn(
  port: number,
  call: IncomingMessage,
  response: ServerResponse,
  hold: Hold | undefined,
): Promise<void> {
  const body = await buffer(call);
  const stop = async (part: HeldPart) => {
    if (hold?.part !== part) return;
    hold.reached.resolve();
    await hold.released.promise;
  };
  await stop("call");
  const { method, url: path, headers } = call;
  const onward = request({ host: "127.0.0.1", port, method, path, headers }).end(body);
  const [answer] = (await once(onward, "response")) as [IncomingMessage];
  const content = await buffer(answer);
  hold?.answered.resolve();
  await stop("answer");
  response.writeHead(answer.statusCode ?? 502, answer.headers).end(content);
}
