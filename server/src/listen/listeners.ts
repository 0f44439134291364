import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { systemSocketPath, userSocketPath } from "compilecache-client/places";
import type { Logger } from "../domain/logger.ts";
import { listenOnDefaultSocket } from "./default-socket.ts";
import { formatListenAddress, isLocalOnly, type ListenAddress } from "./listen-address.ts";
import { ListenError } from "./listen-error.ts";
import type { Listener, OnConnection, SocketRights, TlsFiles } from "./listener.ts";
import { createTlsServer, type TlsServer } from "./tls-server.ts";
import { type BoundSocket, listenOnSocket } from "./unix-socket.ts";

/** A listener that accepts connections until it is closed. */
export interface OpenListener {
  /** Where clients connect, with the port that the system chose. */
  readonly address: ListenAddress;
  /**
   * Reads the certificates again; what it returns uses them for connections from then on. Throws a
   * ListenError where they are no good.
   */
  reread(): () => void;
  /** Accepts no further connections and removes the socket's file. Open connections stay open. */
  close(): Promise<void>;
}

/** Starts to listen; throws a ListenError, with nothing left open, where that is not possible. */
export async function openListener(
  { address, socket, tls }: Listener,
  onConnection: OnConnection,
  logger: Logger,
): Promise<OpenListener> {
  const plain = () =>
    createServer({ noDelay: true }, (connection) =>
      onConnection.begin(connection, () => onConnection.ready(connection)),
    );
  const encrypted = (files: TlsFiles) => createTlsServer(files, onConnection);
  const opened = await (address === undefined
    ? openDefault(plain, socket, logger)
    : address.kind === "unix"
      ? openSocket(address, plain(), socket)
      : openTcp(address, plain, tls && (() => encrypted(tls))));
  const { server } = opened;
  server.on("error", (error) => logger.error("a connection could not be accepted", { error }));
  logger.info("listening", {
    address: formatListenAddress(opened.address),
    ...(tls ? { tls: tls.clientCa === undefined ? "server" : "mutual" } : {}),
    ...(isLocalOnly(opened.address) ? {} : { reachable: "from other machines" }),
  });
  return {
    address: opened.address,
    reread: () => opened.reread?.() ?? (() => {}),
    async close() {
      await opened.socket?.remove();
      server.close();
    },
  };
}

interface Opened {
  readonly address: ListenAddress;
  readonly server: Server;
  readonly socket?: BoundSocket;
  readonly reread?: () => () => void;
}

async function openDefault(
  newServer: () => Server,
  rights: SocketRights,
  logger: Logger,
): Promise<Opened> {
  const places = { preferred: systemSocketPath, other: userSocketPath(process.env) };
  const { path, ...opened } = await listenOnDefaultSocket(newServer, places, rights, logger);
  return { address: { kind: "unix", path }, ...opened };
}

async function openSocket(
  address: ListenAddress & { kind: "unix" },
  server: Server,
  rights: SocketRights,
): Promise<Opened> {
  return { address, server, socket: await listenOnSocket(server, address.path, rights) };
}

async function openTcp(
  address: ListenAddress & { kind: "tcp" },
  plain: () => Server,
  encrypted: (() => TlsServer) | undefined,
): Promise<Opened> {
  const tls = encrypted && certified(address, encrypted);
  const server = tls?.server ?? plain();
  try {
    server.listen({ host: address.host, port: address.port });
    await once(server, "listening");
  } catch (error) {
    throw tcpListenError(address, error as NodeJS.ErrnoException);
  }
  const bound = { ...address, port: (server.address() as AddressInfo).port };
  return {
    address: bound,
    server,
    ...(tls ? { reread: () => certified(address, tls.reread) } : {}),
  };
}

function certified<Result>(address: ListenAddress, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const why = `its certificates cannot be used: ${(error as Error).message}`;
    throw new ListenError(formatListenAddress(address), why, { cause: error });
  }
}

function tcpListenError(address: ListenAddress, error: NodeJS.ErrnoException): ListenError {
  const inUse = error.code === "EADDRINUSE";
  const why = inUse ? "another process listens there already" : error.message;
  return new ListenError(formatListenAddress(address), why, { inUse, cause: error });
}
