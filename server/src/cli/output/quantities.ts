/** `1,258 files`. */
export function fileCountText(count: number): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? "file" : "files"}`;
}

/** `72.6 MB`: three digits that matter, in powers of 1,000. */
export function bytesText(bytes: number): string {
  const units = ["kB", "MB", "GB", "TB", "PB"];
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  let unit = -1;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toPrecision(3)} ${units[unit]}`;
}

/** `1.9 s`, `3 min 20 s`. */
export function durationText(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `2026-01-31 12:00` in UTC. */
export function dateText(date: Date): string {
  return date.toISOString().slice(0, 16).replace("T", " ");
}

/** `30 d`, `12 h`, `90 min`: an age that somebody set, in the largest unit that keeps it whole. */
export function ageText(ms: number): string {
  const units = { d: 86_400_000, h: 3_600_000, min: 60_000 };
  const found = Object.entries(units).find(([, unit]) => ms > 0 && ms % unit === 0);
  return found ? `${ms / found[1]} ${found[0]}` : `${ms / 1000} s`;
}
