import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, request } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";

// What lies between a client and an object server: a TLS endpoint, and a proxy.

/** What tells when to clean up: a test. */
interface Lifetime {
  after(tidy: () => void | Promise<void>): void;
}

const certificates = join(import.meta.dirname, "../../vectors/tls");

/** The file of a certificate for localhost, 127.0.0.1 and store.test that signs itself. */
export const certificateFile = join(certificates, "server.crt");

/** A server that speaks TLS with that certificate, before a server that does not. Returns its port. */
export async function startTls(t: Lifetime, serverPort: number): Promise<number> {
  const [cert, key] = [certificateFile, join(certificates, "server.key")].map((path) =>
    readFileSync(path),
  );
  const server = createHttpsServer({ cert, key }, (call, answer) => {
    const { method, url: path, headers } = call;
    const onward = request({ host: "127.0.0.1", port: serverPort, method, path, headers });
    onward.on("response", (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    call.pipe(onward);
  });
  return listening(t, server);
}

/** An HTTP proxy that knows one host, store.test. */
export interface ForwardProxy {
  readonly port: number;
  /** What it was asked for: `CONNECT host:port`, or `GET http://...`. */
  readonly asked: string[];
}

/** Starts a proxy that finds store.test at these ports of this machine. */
export async function startForwardProxy(
  t: Lifetime,
  { httpPort, tlsPort }: { httpPort: number; tlsPort: number },
): Promise<ForwardProxy> {
  const asked: string[] = [];
  const server = createHttpServer((call, answer) => {
    const { method, url = "", headers } = call;
    asked.push(`${method} ${url}`);
    const { pathname, search } = new URL(url);
    const path = pathname + search;
    const onward = request({ host: "127.0.0.1", port: httpPort, method, path, headers });
    onward.on("response", (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
    });
    call.pipe(onward);
  });
  server.on("connect", ({ url = "" }, socket) => {
    asked.push(`CONNECT ${url}`);
    if (!url.startsWith("store.test:")) {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const onward = connect(tlsPort, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on("error", () => socket.destroy());
  });
  return { port: await listening(t, server), asked };
}

async function listening(
  t: Lifetime,
  server: ReturnType<typeof createHttpServer> | ReturnType<typeof createHttpsServer>,
): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
