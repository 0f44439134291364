import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";

/** A key that signs, and its public half. */
export interface SigningKey {
  /** What manifests call it: the first 16 hexadecimal digits of the SHA-256 of the public key's 32 bytes. */
  readonly id: string;
  /** The signature of a text, in base64. */
  sign(text: string): string;
  readonly trusted: TrustedKey;
}

/** A key whose signatures count. */
export interface TrustedKey {
  readonly id: string;
  /** Whether it made that signature, in base64, of a text. */
  made(signature: string, text: string): boolean;
}

/** Thrown for a file that holds no such key; its message goes on from the file's name. */
export class NotAKey extends Error {}

/** The private Ed25519 key of a PEM file (PKCS #8). Throws NotAKey. */
export function parseSigningKey(pem: string): SigningKey {
  const key = parsed(() => createPrivateKey(pem), "a private Ed25519 key in PEM");
  const trusted = trustedKeyOf(createPublicKey(key));
  return {
    id: trusted.id,
    sign: (text) => sign(null, Buffer.from(text), key).toString("base64"),
    trusted,
  };
}

const block = /-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----/g;

/** The public Ed25519 keys of a PEM file, of which there is at least one. Throws NotAKey. */
export function parseTrustedKeys(pem: string): TrustedKey[] {
  const blocks = [...pem.matchAll(block)];
  if (blocks.length === 0) throw new NotAKey("holds no public Ed25519 key in PEM");
  if (blocks.length < pem.split("-----BEGIN ").length - 1)
    throw new NotAKey("holds a key that has no end: was it written by half?");
  return blocks.map(([text, label]) => {
    if (label !== "PUBLIC KEY")
      throw new NotAKey(
        `holds a ${label?.toLowerCase()}: only public keys belong where caches are loaded`,
      );
    return trustedKeyOf(parsed(() => createPublicKey(text), "public Ed25519 keys in PEM"));
  });
}

/** A new pair of keys, in PEM. */
export function generateKeys(): { readonly signingKey: string; readonly trustedKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    signingKey: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    trustedKey: publicKey.export({ type: "spki", format: "pem" }) as string,
  };
}

function parsed(parse: () => KeyObject, what: string): KeyObject {
  let key: KeyObject;
  try {
    key = parse();
  } catch (cause) {
    throw new NotAKey(`does not hold ${what}`, { cause });
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new NotAKey(`holds a key for ${key.asymmetricKeyType}, and not ${what}`);
}

function trustedKeyOf(key: KeyObject): TrustedKey {
  const { x = "" } = key.export({ format: "jwk" });
  return {
    id: hash("sha256", Buffer.from(x, "base64url"), "hex").slice(0, 16),
    made: (signature, text) =>
      verify(null, Buffer.from(text), key, Buffer.from(signature, "base64")),
  };
}
