import { readFileSync } from "node:fs";

const lookEveryMs = 250;

/**
 * Calls `stop` once npx is gone, if that started this process. npx passes signals on to no more than
 * the shell that it runs a command in, which dies of them and would leave the daemon behind.
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

/** The variable that npx sets is handed on to whatever its command starts, too. */
function isShell(pid: number): boolean {
  try {
    const [program = "", option] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return /(^|\/)(ba|da)?sh$/.test(program) && option === "-c";
  } catch {
    return false;
  }
}
