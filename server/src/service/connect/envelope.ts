import { invalidField } from "../../domain/cache-error.ts";

const headBytes = 5;

/** A message of a stream: its flags, its length in four bytes, and itself. */
export function envelope(message: Buffer, flags = 0): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(flags);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The only message of a body, which must not be compressed. Throws INVALID_REQUEST. */
export function openEnvelope(body: Buffer): Buffer {
  const message = body.subarray(headBytes);
  if (body.length < headBytes || body.readUInt32BE(1) !== message.length || body[0] !== 0)
    throw invalidField("request", "is not one whole message, as it is, in its envelope");
  return message;
}
