/** Smaller buffers may be cut from a pool that Node does not give away, and are not worth it. */
const leastBytes = 256 * 1024;

/**
 * Gives the memory behind a large buffer back now. The collector would do so later, and by then
 * other frames have taken as much again. The buffer, and any view of its memory, is empty afterwards.
 */
export function releaseMemory(buffer: Uint8Array): void {
  if (buffer.buffer instanceof ArrayBuffer && buffer.buffer.byteLength >= leastBytes)
    buffer.buffer.transfer(0);
}
