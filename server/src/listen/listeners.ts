import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { systemSocketPath, userSocketPath } from "compilecache-client/places";
import type { Logger } from "../domain/logger.ts";
import { listenOnDefaultSocket } from "./default-socket.ts";
import { formatListenAddress, isLocalOnly, type ListenAddress } from "./listen-address.ts";
import { ListenError } from "./listen-error.ts";
import { type BoundSocket, listenOnSocket } from "./unix-socket.ts";

/** Open listeners, which accept connections until they are closed. */
export interface Listeners {
  /** Where clients connect, with the ports that the system chose. */
  readonly addresses: readonly ListenAddress[];
  /** Accepts no further connections and removes the socket files. Open connections stay open. */
  close(): Promise<void>;
}

interface Opened {
  readonly address: ListenAddress;
  readonly server: Server;
  readonly socket?: BoundSocket;
}

/**
 * Listens on all addresses, or on the default socket where none is given. Throws a ListenError, with
 * nothing left open, when one of them cannot be listened on.
 */
export async function openListeners(
  addresses: readonly ListenAddress[],
  onConnection: (connection: Socket) => void,
  logger: Logger,
): Promise<Listeners> {
  const newServer = () => createServer({ noDelay: true }, onConnection);
  const opened: Opened[] = [];
  const close = async () => {
    for (const { server, socket } of opened.splice(0)) {
      await socket?.remove();
      server.close();
    }
  };
  try {
    if (addresses.length === 0) opened.push(await openDefault(newServer, logger));
    for (const address of addresses) opened.push(await open(address, newServer()));
  } catch (error) {
    await close();
    throw error;
  }
  for (const { address, server } of opened) {
    server.on("error", (error) => logger.error("a connection could not be accepted", { error }));
    logger.info("listening", {
      address: formatListenAddress(address),
      ...(isLocalOnly(address) ? {} : { reachable: "from other machines" }),
    });
  }
  return { addresses: opened.map(({ address }) => address), close };
}

async function openDefault(newServer: () => Server, logger: Logger): Promise<Opened> {
  const places = { preferred: systemSocketPath, other: userSocketPath(process.env) };
  const { path, ...opened } = await listenOnDefaultSocket(newServer, places, logger);
  return { address: { kind: "unix", path }, ...opened };
}

async function open(address: ListenAddress, server: Server): Promise<Opened> {
  if (address.kind === "unix")
    return { address, server, socket: await listenOnSocket(server, address.path) };
  try {
    server.listen({ host: address.host, port: address.port });
    await once(server, "listening");
  } catch (error) {
    throw tcpListenError(address, error as NodeJS.ErrnoException);
  }
  const bound = server.address() as AddressInfo;
  return { address: { ...address, port: bound.port }, server };
}

function tcpListenError(address: ListenAddress, error: NodeJS.ErrnoException): ListenError {
  const inUse = error.code === "EADDRINUSE";
  const why = inUse ? "another process listens there already" : error.message;
  return new ListenError(formatListenAddress(address), why, { inUse, cause: error });
}
