import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { createDirectoryQueue } from "./directory-queue.ts";

const never = new AbortController().signal;

/** A queue, and work in it that lasts until it is let go. */
function startQueue() {
  const queue = createDirectoryQueue();
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    queue,
    running,
    work: (name: string, paths: string[], signal: AbortSignal = never) =>
      queue.run(paths, signal, async () => {
        running.push(name);
        await new Promise<void>((resolve) => ends.set(name, resolve));
        running.splice(running.indexOf(name), 1);
        return name;
      }),
    end: async (name: string) => {
      ends.get(name)?.();
      await settle();
    },
  };
}

describe("createDirectoryQueue", () => {
  const pairs: [string, string[], string[], boolean][] = [
    ["the same directory", ["/a/b"], ["/a/b"], true],
    ["a descendant", ["/a"], ["/a/b/c"], true],
    ["an ancestor", ["/a/b/c"], ["/a"], true],
    ["the root", ["/a/b"], ["/"], true],
    ["one of several", ["/x", "/a"], ["/y", "/a/b"], true],
    ["a sibling", ["/a/b"], ["/a/c"], false],
    ["a name that only starts alike", ["/a/b"], ["/a/bc"], false],
  ];
  for (const [what, first, second, waits] of pairs)
    it(`${waits ? "makes work wait" : "runs work at once"} on ${what}`, async () => {
      const { work, running, end } = startQueue();
      work("first", first);
      work("second", second);
      await settle();
      assert.deepEqual(running, waits ? ["first"] : ["first", "second"]);
      await end("first");
      assert.deepEqual(running, ["second"]);
    });

  it("serves in the order of coming, though a later one could go on", async () => {
    const { work, running, end } = startQueue();
    work("child", ["/a/b"]);
    work("parent", ["/a"]);
    work("other child", ["/a/c"]);
    await settle();
    assert.deepEqual(running, ["child"]);
    await end("child");
    assert.deepEqual(running, ["parent"]);
    await end("parent");
    assert.deepEqual(running, ["other child"]);
  });

  it("lets go who waits when the signal aborts, and those behind move up", async () => {
    const { work, running } = startQueue();
    const { signal, abort } = abortable();
    work("child", ["/a/b"]);
    const waiting = work("parent", ["/a"], signal);
    work("other child", ["/a/c"]);
    await settle();
    abort(new Error("gone"));
    await assert.rejects(waiting, /gone/);
    await settle();
    assert.deepEqual(running, ["child", "other child"]);
  });

  it("takes no work whose signal has aborted, and holds nothing for it", async () => {
    const { work, running } = startQueue();
    await assert.rejects(work("late", ["/a"], AbortSignal.abort(new Error("gone"))), /gone/);
    work("next", ["/a"]);
    await settle();
    assert.deepEqual(running, ["next"]);
  });

  it("passes on what the work gives or throws, and frees the directory", async () => {
    const { queue } = startQueue();
    assert.equal(await queue.run(["/a"], never, async () => 5), 5);
    const failing = queue.run(["/a"], never, () => Promise.reject(new Error("broken")));
    await assert.rejects(failing, /broken/);
    assert.equal(await queue.run(["/a"], never, async () => 6), 6);
  });

  it("serves 2,000 on one directory, one at a time", async () => {
    const { queue } = startQueue();
    let atOnce = 0;
    const served: number[] = [];
    const work = async (n: number) => {
      atOnce += 1;
      assert.equal(atOnce, 1);
      await Promise.resolve();
      served.push(n);
      atOnce -= 1;
    };
    const numbers = Array.from({ length: 2_000 }, (_, n) => n);
    await Promise.all(numbers.map((n) => queue.run(["/a"], never, () => work(n))));
    assert.deepEqual(served, numbers);
  });
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) };
}
