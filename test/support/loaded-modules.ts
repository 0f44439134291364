/** Loaded before a program: on any message to its process, sends what that has loaded by then. */
import { registerHooks } from "node:module";

const loaded: string[] = [];
registerHooks({
  load(url, context, next) {
    loaded.push(url);
    return next(url, context);
  },
});
// Node's own modules, those that no program may name among them.
const builtIn = () => (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
process.on("message", () => process.send?.([...loaded, ...builtIn()]));
process.channel?.unref();
