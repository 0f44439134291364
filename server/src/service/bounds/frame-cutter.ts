const prefaceBytes = 24;
const frameHeadBytes = 9;
const headerTypes: ReadonlySet<number> = new Set([1, 9]);

/** Follows the HTTP/2 frames that a client sends, to say where its bytes may be cut. */
export interface FrameCutter {
  /**
   * How many of the next bytes are to be handed on: `most`, but none after the end of a frame of
   * headers. Then the call that these open has begun before what comes behind can end it; grpc-js throws
   * where it refuses a call that has ended already.
   */
  cut(bytes: Uint8Array, most: number): number;
}

/** Begins before the preface. */
export function createFrameCutter(): FrameCutter {
  /** What is missing of the preface or of a frame's payload. */
  let left = prefaceBytes;
  let holdsHeaders = false;
  const head = Buffer.alloc(frameHeadBytes);
  let headFilled = 0;
  return {
    cut(bytes, most) {
      const end = Math.min(bytes.length, most);
      let at = 0;
      while (at < end) {
        if (left > 0) {
          const taken = Math.min(left, end - at);
          at += taken;
          left -= taken;
        } else {
          head[headFilled++] = bytes[at++] as number;
          if (headFilled < frameHeadBytes) continue;
          headFilled = 0;
          left = head.readUIntBE(0, 3);
          holdsHeaders = headerTypes.has(head[3] as number);
        }
        if (left === 0 && headFilled === 0 && holdsHeaders) {
          holdsHeaders = false;
          return at;
        }
      }
      return at;
    },
  };
}
