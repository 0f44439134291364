import type { SigningKey, TrustedKey } from "../signing/keys.ts";
import { parseSigningKeyFile, parseTrustedKeyFiles } from "./parse/values.ts";
import { setting } from "./setting.ts";

/** Who signs what is saved, and whose signatures count. */
export const signingSettings = {
  signingKey: setting({
    variable: "COMPILE_CACHE_SIGNING_KEY",
    placeholder: "file",
    description: "a private Ed25519 key in PEM (compilecache keygen), which signs what is saved",
    fallback: {
      make: (): SigningKey | undefined => undefined,
      shown: "none, nothing is signed",
    },
    keep: "from readers",
    parse: (text): SigningKey | undefined => parseSigningKeyFile(text),
  }),
  trustedKeys: setting({
    variable: "COMPILE_CACHE_TRUSTED_KEYS",
    placeholder: "files",
    description: "public keys in PEM: only what one of them signed is loaded",
    fallback: {
      make: (): readonly TrustedKey[] | undefined => undefined,
      shown: "none, whatever is stored is loaded",
    },
    keep: "from writers",
    list: true,
    parse: (text): readonly TrustedKey[] | undefined => parseTrustedKeyFiles(text),
  }),
};
