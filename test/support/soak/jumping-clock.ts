// Loaded into a daemon before all else: its clock jumps with each SIGUSR2, by up to a day, either way.
const dayMs = 24 * 3_600_000;
const realNow = Date.now;
const RealDate = Date;
let offsetMs = 0;

Date.now = () => realNow() + offsetMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget),
});
process.on("SIGUSR2", () => {
  offsetMs = Math.round((Math.random() * 2 - 1) * dayMs);
});
