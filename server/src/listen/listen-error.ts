/** An address cannot be listened on. The message is a full sentence for the user. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** Whether another process listens there. */
  readonly inUse: boolean;

  constructor(address: string, why: string, options: { inUse?: boolean; cause?: unknown } = {}) {
    super(`cannot listen on ${address}: ${why}`, { cause: options.cause });
    this.inUse = options.inUse ?? false;
  }
}
