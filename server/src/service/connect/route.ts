import type { IncomingMessage } from "node:http";
import { CacheServiceService } from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { streamType, unaryType } from "./response.ts";

type MethodName = keyof CacheServiceService;

const methodOf = new Map(
  Object.entries(CacheServiceService).map(([name, { path }]) => [path as string, name]),
);

/** The call that a request is for; or the status of HTTP for one that is for none, and why. */
export type Route =
  | { readonly method: MethodName; readonly name: string }
  | { readonly status: number; readonly code: string; readonly why: string };

/** Finds the call by path, verb and form. */
export function route({ method: verb, url = "", headers }: IncomingMessage): Route {
  const method = methodOf.get(url) as MethodName | undefined;
  if (method === undefined)
    return { status: 404, code: "unimplemented", why: "there is no such call" };
  if (verb !== "POST") return { status: 405, code: "unimplemented", why: "calls are made by POST" };
  const type = method === "watchTransfer" ? streamType : unaryType;
  const [asked = ""] = (headers["content-type"] ?? "").split(";");
  if (asked.trim().toLowerCase() !== type)
    return { status: 415, code: "unknown", why: `this call takes ${type}` };
  const encoding =
    headers[method === "watchTransfer" ? "connect-content-encoding" : "content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    return { status: 501, code: "unimplemented", why: "requests are taken as they are" };
  return { method, name: url.slice(url.lastIndexOf("/") + 1) };
}
