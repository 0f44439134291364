/**
 * A message with each array of bytes in memory of its own, and that memory. As they arrive, all bytes of
 * a message are views of the message's, so that none could be handed on or freed by itself.
 */
export function withOwnBytes<T>(message: T): { message: T; memory: ArrayBuffer[] } {
  const memory: ArrayBuffer[] = [];
  const own = (value: unknown): unknown => {
    if (value instanceof Uint8Array) {
      const bytes = Uint8Array.from(value);
      memory.push(bytes.buffer);
      return bytes;
    }
    if (Array.isArray(value)) return value.map(own);
    if (value === null || typeof value !== "object") return value;
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, own(each)]));
  };
  return { message: own(message) as T, memory };
}
