import { spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { accepting, freePort } from "../ports.ts";
import { findTool } from "../tools.ts";

/** What Toxiproxy does to one direction of connections; see its documentation. */
export interface Toxic {
  readonly type: "latency" | "bandwidth" | "reset_peer" | "limit_data" | "timeout";
  /** `upstream` is towards the server. */
  readonly stream: "upstream" | "downstream";
  /** The share of connections that have it; default 1. */
  readonly toxicity?: number;
  readonly attributes: Readonly<Record<string, number>>;
}

/** A network before a server that can be made bad. */
export interface BadNetwork {
  readonly endpoint: string;
  /** Replaces all toxics by these. */
  poison(...toxics: Toxic[]): Promise<void>;
  /** Cuts all connections and refuses new ones, or lets them through again. */
  cut(isCut: boolean): Promise<void>;
}

/** Puts Toxiproxy before a server's port; it ends with the test. */
export async function startToxiproxy(t: TestContext, serverPort: number): Promise<BadNetwork> {
  const [apiPort, port] = [await freePort(), await freePort()];
  const child = spawn(
    findTool("toxiproxy-server") ?? "",
    ["-host", "127.0.0.1", "-port", String(apiPort)],
    { stdio: ["ignore", "ignore", "inherit"], env: { LOG_LEVEL: "error" } },
  );
  t.after(() => child.kill("SIGKILL"));
  await accepting(apiPort, child);
  const api = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`toxiproxy: ${method} ${path}: ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };
  await api("POST", "/proxies", {
    name: "s3",
    listen: `127.0.0.1:${port}`,
    upstream: `127.0.0.1:${serverPort}`,
    enabled: true,
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async poison(...toxics) {
      const present = (await api("GET", "/proxies/s3/toxics")) as { name: string }[];
      for (const { name } of present) await api("DELETE", `/proxies/s3/toxics/${name}`);
      for (const [n, toxic] of toxics.entries())
        await api("POST", "/proxies/s3/toxics", { name: `toxic-${n}`, ...toxic });
    },
    async cut(isCut) {
      await api("POST", "/proxies/s3", { enabled: !isCut });
    },
  };
}
