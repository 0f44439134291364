import { hostname } from "node:os";
import { parseOriginText } from "./parse/values.ts";
import { setting } from "./setting.ts";

/** What is written into an archive of who saved it, and from what. */
export const originSettings = {
  saver: setting({
    variable: "COMPILE_CACHE_SAVER",
    placeholder: "name",
    description: "the name that what is saved here carries",
    fallback: { make: () => hostname(), shown: "the name of this machine" },
    parse: parseOriginText,
  }),
  revision: setting({
    variable: "COMPILE_CACHE_REVISION",
    placeholder: "text",
    description: "what it is saved from: the digest of an image, or a commit",
    fallback: { make: (): string | undefined => undefined, shown: "none" },
    parse: (text): string | undefined => parseOriginText(text),
  }),
};
