// A service that brings caches onto its machine before a model starts there, and tells how far it is.
import { createServer, type ServerResponse } from "node:http";
import { join, resolve } from "node:path";
import { CacheServiceError, createCacheClient } from "compilecache-client";

const directory = resolve(process.env.CACHES ?? "caches");
const client = createCacheClient();

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", "http://service");
  const namespace = url.searchParams.get("namespace") ?? "default";
  try {
    const route = `${request.method} ${url.pathname}`;
    if (route === "GET /caches") await listCaches(namespace, response);
    else if (route === "POST /loads")
      await load(namespace, url.searchParams.get("key") ?? "", response);
    else answer(response, 404, { error: `${route}: GET /caches and POST /loads are served` });
  } catch (error) {
    const what = {
      error: String(error),
      ...(error instanceof CacheServiceError && { reason: error.reason }),
    };
    if (response.headersSent) response.end(line(what));
    else answer(response, statusOf(error), what);
  }
});

async function listCaches(namespace: string, response: ServerResponse): Promise<void> {
  const caches = await Array.fromAsync(client.allCaches({ namespace }));
  answer(response, 200, caches);
}

/** Answers with a line for each change. The load goes on when whoever asked for it has left. */
async function load(namespace: string, key: string, response: ServerResponse): Promise<void> {
  const caches = await Array.fromAsync(client.allCaches({ namespace }));
  const environment = caches.find(({ cacheKey }) => cacheKey === key)?.environment;
  if (!environment) {
    answer(response, 404, { error: `${namespace} has no cache with the key "${key}"` });
    return;
  }
  // What is there already stays, and what it lacks is added.
  const localDir = join(directory, key);
  const request = {
    namespace,
    environment,
    localDir,
    ifLocalExists: "merge",
    detach: true,
  } as const;
  const { transfer } = await client.load(request);
  const left = new AbortController();
  response.on("close", () => left.abort());
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  try {
    for await (const state of client.watch(transfer.operationId, { signal: left.signal })) {
      const { status, phase, bytesDone, bytesTotal } = state;
      response.write(line({ status, phase, bytesDone, bytesTotal, localDir }));
    }
  } catch (error) {
    if (!left.signal.aborted) throw error;
  }
  response.end();
}

function statusOf(error: unknown): number {
  const code = error instanceof CacheServiceError ? error.code : undefined;
  if (code === "INVALID_ARGUMENT") return 400;
  return code === "UNAVAILABLE" ? 503 : code === "NOT_FOUND" ? 404 : 500;
}

const line = (what: object): string => `${JSON.stringify(what)}\n`;

function answer(response: ServerResponse, status: number, what: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(line(what));
}

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () =>
  console.log("listening on", server.address()),
);
process.once("SIGTERM", () => {
  server.close(() => client.close());
  server.closeAllConnections();
});
