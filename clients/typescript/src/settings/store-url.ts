import { isAbsolute, resolve } from "node:path";

/** Worded to follow the text: what is wrong with the URL of a store; undefined where nothing is. */
export function whyNoStore(url: string): string | undefined {
  if (url.startsWith("s3://")) return whyNoBucket(url.slice("s3://".length));
  // A URL's parser would drop these without a word.
  if (/\p{Cc}/u.test(url)) return "holds a control character, which no store's URL can";
  if (!url.startsWith("file:///") || /[?#]/.test(url))
    return "is not a store; give file:///path or s3://bucket/prefix";
  try {
    return whyNoDirectory(decodeURIComponent(url.slice("file://".length)));
  } catch {
    return "is not a store: its path has a malformed %-escape; write % as %25";
  }
}

/** The same of the directory of a file store. */
export function whyNoDirectory(text: string): string | undefined {
  if (!isAbsolute(text)) return "is not an absolute path";
  if (text.includes("\0")) return "holds a NUL character, which no path can";
  return resolve(text) === "/" ? "is the root directory; name a directory in it" : undefined;
}

function whyNoBucket(text: string): string | undefined {
  const [, bucket = "", prefix = ""] = /^([^/]*)\/?(.*?)\/?$/s.exec(text) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    return "names no bucket: 3 to 63 of a-z 0-9 . -, as in s3://bucket/prefix";
  const segments = prefix === "" ? [] : prefix.split("/");
  const isPlain = (segment: string) => /^[\w!.*'()-]+$/.test(segment) && !/^\.\.?$/.test(segment);
  return segments.every(isPlain)
    ? undefined
    : "has a prefix that is not made of letters, digits and ! - _ . * ' ( ) /";
}
