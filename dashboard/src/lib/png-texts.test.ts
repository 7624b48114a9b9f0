import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { chunk, latinChunk, pngOf, utf8Chunk } from "./png-testing";
import { PngError, readTexts } from "./png-texts";

const bytes = (text: string) => [...new TextEncoder().encode(text)];

test("every kind of text is read", async () => {
  const packed = [...deflateSync(new Uint8Array(bytes("ゾラ")))];
  const latin = [...deflateSync(new Uint8Array([0x63, 0xe9]))];
  const texts = await readTexts(
    pngOf(
      latinChunk("parameters", "zora, café"),
      utf8Chunk("other", "ゾラ — 漫画"),
      chunk("iTXt", [...bytes("packed"), 0, 1, 0, ...bytes("ja"), 0, ...bytes("話"), 0, ...packed]),
      chunk("zTXt", [...bytes("latin"), 0, 0, ...latin]),
      latinChunk("parameters", "a second one"),
    ),
  );
  expect(Object.fromEntries(texts)).toEqual({
    parameters: "zora, café",
    other: "ゾラ — 漫画",
    packed: "ゾラ",
    latin: "cé",
  });
});

// Unpacking up to the limit takes seconds on a machine that does other things too.
test("a long text is read, and one beyond the limit is not", { timeout: 60_000 }, async () => {
  const long = "x".repeat(100_000);
  expect((await readTexts(pngOf(latinChunk("a", long)))).get("a")).toBe(long);
  const bomb = deflateSync(new Uint8Array((8 << 20) + 1));
  await expect(readTexts(pngOf(chunk("zTXt", [97, 0, 0, ...bomb])))).rejects.toThrow(
    "more text than is read",
  );
  const many = Array.from({ length: 257 }, () => latinChunk("a", "x"));
  await expect(readTexts(pngOf(...many))).rejects.toThrow("more text than is read");
});

test("what is damaged is said in a sentence", async () => {
  const whole = pngOf(latinChunk("a", "x"));
  for (const [file, message] of [
    [new Blob(["GIF89a"]), "It is not a PNG file."],
    [whole.slice(0, whole.size - 6), "The file is damaged: it ends in the middle."],
    [pngOf(chunk("tEXt", bytes("no end"))), "The file is damaged: a text has no end."],
    [pngOf(chunk("zTXt", [97, 0, 0, 1, 2, 3])), "The file is damaged: a text cannot be unpacked."],
  ] as const) {
    const error: unknown = await readTexts(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PngError);
    expect((error as PngError).message).toBe(message);
  }
});
