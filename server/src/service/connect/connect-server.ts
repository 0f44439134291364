import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Turns } from "../../async/turns.ts";
import { toCacheError } from "../../domain/cache-error.ts";
import type { Audit } from "../audit.ts";
import { createArrivals } from "../bounds/arrivals.ts";
import type { Identify, PeerCaller } from "../bounds/call-gate.ts";
import { createShare, type Share } from "../bounds/call-share.ts";
import type { Connection, Connections } from "../bounds/connections.ts";
import { watchTransfer } from "../cache-methods.ts";
import type { CallRunner } from "../call-runner.ts";
import { connectError, httpStatus } from "./connect-error.ts";
import { envelope, openEnvelope } from "./envelope.ts";
import { type JsonMethod, jsonMethods, readWatchRequest, writeState } from "./messages.ts";
import { readBody } from "./read-body.ts";
import { announce, endStream, send, sendMessage } from "./response.ts";
import { underResponseSignal } from "./response-signal.ts";
import { route } from "./route.ts";

// An import of it would evaluate all that it exports, and so load a client for the web, as a daemon starts.
const { createServer } = process.getBuiltinModule("node:http");
/** What gRPC's callers may send in headers. */
const mostHeaderBytes = 16 * 1024;

/** Serves calls by the Connect protocol. */
export interface ConnectServer {
  /** Takes a connection, as the current one of all connections, for one call. */
  accept(connection: Socket): void;
  /** Ends what is left of its connections. */
  stop(): void;
}

/** A connection that may bring a call, and what to say once the call has come whole. */
interface Awaited {
  readonly connection: Connection;
  readonly arrived: () => void;
}

/** A call whose headers have come. */
interface Call extends Awaited {
  readonly name: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly share: Share;
}

/**
 * Makes a server of the cache service in JSON over HTTP/1.1 (https://connectrpc.com/docs/protocol), for
 * processes of this machine that do without gRPC. Calls come in as those of gRPC do: credentials are judged
 * before a request is read, and what calls cost together is bounded.
 */
export function createConnectServer(options: {
  runner: CallRunner;
  identify: Identify;
  audit: Audit;
  connections: Connections;
  turns: Turns;
  /** How long a request may take to come whole; default: as long as one of gRPC. */
  requestMs?: number;
}): ConnectServer {
  const { runner, identify, audit, connections, turns, requestMs } = options;
  const arrivals = createArrivals(requestMs);
  const open = new Map<Socket, Awaited>();

  const admit = ({ name, request, connection }: Call): PeerCaller => {
    try {
      const caller = identify(request.headers.authorization, connection.certificate);
      return { caller, peer: connection.peer };
    } catch (error) {
      audit(name, {}, connection.peer).failed(toCacheError(error));
      throw error;
    }
  };

  /** The request, at the turn of its connection; undefined where the caller has left by then. */
  const bodyOf = async (call: Call): Promise<Buffer | undefined> => {
    const body = await readBody(call.request);
    call.arrived();
    call.share.work();
    await new Promise<void>((resolve) => turns.take(call.connection, resolve));
    return call.share.isOver ? undefined : body;
  };

  const answer = async (call: Call, method: JsonMethod): Promise<void> => {
    const { name, response, share } = call;
    try {
      const from = admit(call);
      const body = await bodyOf(call);
      if (!body) return;
      const request = method.readRequest(body);
      const begun = runner.begin(name, request, from);
      const work = underResponseSignal(call.request, response, async (signal) => {
        const found = await method.answer(begun.operations, request, signal, (operationId) => {
          begun.started(operationId);
          announce(response, operationId);
        });
        return method.writeAnswer(found);
      });
      const written = Buffer.from(await begun.ended(work));
      share.unread(written.length);
      send(response, 200, written);
    } catch (thrown) {
      const error = toCacheError(thrown);
      send(response, httpStatus(error), JSON.stringify(connectError(error)));
    }
  };

  const answerByStates = async (call: Call): Promise<void> => {
    const { name, response, share } = call;
    try {
      const from = admit(call);
      const body = await bodyOf(call);
      if (!body) return;
      const request = readWatchRequest(openEnvelope(body));
      const begun = runner.begin(name, request, from);
      const work = underResponseSignal(call.request, response, async (signal) => {
        for await (const state of watchTransfer(begun.operations, request, signal)) {
          const message = envelope(writeState(state));
          const hasLeft = share.unread(message.length);
          await sendMessage(response, message, signal);
          hasLeft();
        }
      });
      await begun.ended(work);
      endStream(response, {});
    } catch (error) {
      endStream(response, { error: connectError(toCacheError(error)) });
    }
  };

  const server = createServer({ maxHeaderSize: mostHeaderBytes }, (request, response) => {
    const awaited = open.get(request.socket);
    // It was closed meanwhile.
    if (!awaited) return;
    // What is written to a caller that has left.
    response.on("error", () => {});
    const found = route(request);
    if ("status" in found) {
      send(response, found.status, JSON.stringify({ code: found.code, message: found.why }));
      return;
    }
    const share = createShare(connections, awaited.connection);
    response.once("close", () => share.end());
    share.begin();
    const call = { ...awaited, name: found.name, request, response, share };
    if (found.method === "watchTransfer") answerByStates(call);
    else answer(call, jsonMethods[found.method]);
  });
  // A second request would begin before the first has its answer.
  server.maxRequestsPerSocket = 1;
  // At once: one that waited for the first answer could bring as many more as it likes meanwhile.
  server.on("dropRequest", (_request, socket) => socket.destroy());

  return {
    accept(socket) {
      const arrival = arrivals.begin(() => socket.destroy());
      open.set(socket, { connection: connections.current(), arrived: arrival.end });
      socket.once("close", () => {
        arrival.end();
        open.delete(socket);
      });
      server.emit("connection", socket);
      socket.resume();
    },
    stop() {
      for (const socket of open.keys()) socket.destroy();
    },
  };
}
