import { readFileSync } from "node:fs";

const lookEveryMs = 250;

/**
 * Calls `stop` when the npx that started this process has ended. npx passes signals only to the shell
 * in which it runs its command: that shell ends, and the daemon would be left running.
 */
export function stopWithNpx(stop: () => void): void {
  const shell = process.ppid;
  if (process.env.npm_lifecycle_event !== "npx" || !isShell(shell)) return;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    stop();
  }, lookEveryMs);
  timer.unref();
}

/** npx's variable alone is no proof: programs that its command starts inherit it. */
function isShell(pid: number): boolean {
  try {
    const [program = "", option] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return /(^|\/)(ba|da)?sh$/.test(program) && option === "-c";
  } catch {
    return false;
  }
}
