import { hash } from "node:crypto";

/** A key that signs: its name, and how it makes a signature of a text, in base64. */
export interface Signer {
  readonly id: string;
  sign(text: string): string;
}

/** The signature of a manifest. It holds for all of the archive, for the manifest has the digest of each part. */
export interface ManifestSignature {
  readonly keyId: string;
  /** The signature's 64 bytes, in base64. */
  readonly value: string;
  /** The text that was signed. */
  readonly text: string;
}

/** How a signed manifest ends: with its signature, which no signature can cover. */
const ending = /^,"signature":"([A-Za-z0-9+/]{86}==)"\}$/;
const endingBytes = ',"signature":"'.length + 88 + '"}'.length;

/**
 * A manifest's JSON text with a signature of what stands before it. The name of the key is a part of
 * what is signed.
 */
export function signJson(manifest: object, signer: Signer): string {
  const body = JSON.stringify({ ...manifest, key_id: signer.id });
  return `${body.slice(0, -1)},"signature":"${signer.sign(signedText(Buffer.from(body)))}"}`;
}

/** The signature with which a manifest's JSON text ends, if it does; `keyId` is what it says of its key. */
export function signatureIn(json: Buffer, keyId: unknown): ManifestSignature | undefined {
  if (typeof keyId !== "string" || json.length <= endingBytes) return undefined;
  const value = ending.exec(json.toString("latin1", json.length - endingBytes))?.[1];
  if (value === undefined) return undefined;
  const body = Buffer.concat([json.subarray(0, json.length - endingBytes), Buffer.from("}")]);
  return { keyId, value, text: signedText(body) };
}

/** What is signed says what it is, so that no signature can be taken for one of anything else. */
function signedText(body: Uint8Array): string {
  return `compilecache manifest, sha256 ${hash("sha256", body, "hex")}`;
}
