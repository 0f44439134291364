/**
 * How a test's directory is removed. A daemon may still write to it, for what was set up last is ended last:
 * one try could find it not empty, and a failing clean-up leaves the processes that others would have ended.
 */
export const wholly = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 } as const;
