/** Node may share the memory of smaller buffers among several, and they are not worth the effort. */
const leastBytes = 256 * 1024;

/**
 * Frees the memory behind a large buffer now. The garbage collector would do so later, when other
 * frames have already taken as much again. The buffer, and any other view of its memory, is empty
 * afterwards. A buffer of less than 256 KiB is left alone.
 */
export function releaseMemory(buffer: Uint8Array): void {
  if (buffer.buffer instanceof ArrayBuffer && buffer.buffer.byteLength >= leastBytes)
    buffer.buffer.transfer(0);
}
