import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hangingText } from "./hanging-text.ts";

const key =
  "torch-2.11.0_cuda-13.0_cc-9.0_triton-3.6.0_arch-x86-64_gpu-nvidia-h200_isa-avx512_py-3.12";

describe("hangingText", () => {
  it("leaves a text that fits, and one for no terminal", () => {
    assert.equal(hangingText(key, Number.POSITIVE_INFINITY, 13), key);
    assert.equal(hangingText("a, b", 80, 13), "a, b");
  });

  it("breaks between components, and loses nothing", () => {
    const lines = hangingText(key, 40, 13).split("\n");
    assert.ok(lines.length > 2);
    assert.ok(lines.slice(1).every((line) => line.startsWith(" ".repeat(13)) && line.length <= 40));
    assert.equal(lines.map((line) => line.trim()).join(""), key);
  });
});
