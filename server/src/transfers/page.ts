import { invalidField } from "../domain/cache-error.ts";
import { parseAll } from "../domain/parse-all.ts";

/** Which page of a list is asked for. A `pageSize` of 0 means 100; an empty token, the first. */
export interface PageSpec {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A part of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const defaultPageSize = 100;
const maxPageSize = 1000;

/** Which page of a list is meant. */
export interface PageRequest {
  readonly size: number;
  /** The key that its items come after; absent for the first page. */
  readonly after: string | undefined;
}

/** The page that a request asks for. Throws INVALID_REQUEST. */
export function parsePage({ pageSize, pageToken }: PageSpec): PageRequest {
  const [size, after] = parseAll([() => parsePageSize(pageSize), () => parseToken(pageToken)]);
  return { size, after };
}

/** 0 means 100. */
function parsePageSize(pageSize: number): number {
  if (pageSize === 0) return defaultPageSize;
  if (Number.isInteger(pageSize) && pageSize >= 1 && pageSize <= maxPageSize) return pageSize;
  throw invalidField("page_size", `${pageSize} is not between 1 and ${maxPageSize}`);
}

/**
 * One page of items that are sorted by their key, ascending. A token names the last key of its page,
 * so that items which come or go between two calls move no others.
 */
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  { size, after }: PageRequest,
): Page<T> {
  const first = after === undefined ? 0 : items.findIndex((item) => keyOf(item) > after);
  const page = first < 0 ? [] : items.slice(first, first + size);
  const last = page.at(-1);
  const isLast = first < 0 || last === undefined || first + size >= items.length;
  return { items: page, nextPageToken: isLast ? "" : tokenOf(keyOf(last)) };
}

const tokenPrefix = "1:";

function tokenOf(key: string): string {
  return Buffer.from(tokenPrefix + key, "utf8").toString("base64url");
}

function parseToken(token: string): string | undefined {
  if (token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (text.startsWith(tokenPrefix) && tokenOf(text.slice(tokenPrefix.length)) === token)
    return text.slice(tokenPrefix.length);
  throw invalidField("page_token", `${JSON.stringify(token)} is not a token of an earlier page`);
}
