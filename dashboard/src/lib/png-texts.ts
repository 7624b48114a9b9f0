// Texts in a PNG file: settings that programs which draw keep in their pictures. Nothing here looks at pixels.

/** As the server's limits have it (`MAX_PICTURE_TEXT_BYTES`, `MAX_PICTURE_TEXTS`). */
const MAX_BYTES = 8 << 20;
const MAX_TEXTS = 256;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Says in a sentence why there are no texts. */
export class PngError extends Error {}

/** Every text by its keyword; of two with the same one, the first. */
export async function readTexts(file: Blob): Promise<Map<string, string>> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (SIGNATURE.some((byte, index) => bytes[index] !== byte)) throw new PngError("It is not a PNG file.");
  const view = new DataView(bytes.buffer);
  const texts = new Map<string, string>();
  let room = MAX_BYTES;
  let count = 0;
  let at = SIGNATURE.length;
  while (at + 12 <= bytes.length) {
    const start = at + 8;
    const end = start + view.getUint32(at);
    const name = latin(bytes.subarray(at + 4, start));
    if (end + 4 > bytes.length) break;
    if (name === "IEND") return texts;
    if (name === "tEXt" || name === "zTXt" || name === "iTXt") {
      count += 1;
      const found = count <= MAX_TEXTS && (await readText(name, bytes.subarray(start, end), room));
      if (!found || found.text.length > room) throw new PngError("It holds more text than is read.");
      room -= found.text.length;
      if (!texts.has(found.keyword)) texts.set(found.keyword, found.text);
    }
    at = end + 4;
  }
  throw new PngError("The file is damaged: it ends in the middle.");
}

async function readText(name: "tEXt" | "zTXt" | "iTXt", data: Uint8Array, room: number) {
  const [keyword, rest] = untilZero(data);
  const found = (text: string) => ({ keyword: latin(keyword), text });
  if (name === "tEXt") return found(latin(rest));
  if (name === "zTXt") return found(latin(await unpacked(rest.subarray(1), room)));
  const [, afterLanguage] = untilZero(rest.subarray(2));
  const [, text] = untilZero(afterLanguage);
  return found(new TextDecoder().decode(rest[0] === 1 ? await unpacked(text, room) : text));
}

function untilZero(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const end = bytes.indexOf(0);
  if (end < 0) throw new PngError("The file is damaged: a text has no end.");
  return [bytes.subarray(0, end), bytes.subarray(end + 1)];
}

function latin(bytes: Uint8Array): string {
  let text = "";
  // A call takes some ten thousand arguments.
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** Unpacks zlib, and stops where it gets too long. */
async function unpacked(packed: Uint8Array, room: number): Promise<Uint8Array> {
  const stream = new Blob([packed.slice()]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new PngError("The file is damaged: a text cannot be unpacked.");
    });
    if (done) break;
    size += value.length;
    if (size > room) {
      await reader.cancel();
      throw new PngError("It holds more text than is read.");
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
