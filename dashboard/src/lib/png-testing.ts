// PNG files for tests: a header, the chunks that a test gives, and an end. No pixels, and no checksums.

export function chunk(name: string, data: number[] | Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + 12);
  new DataView(bytes.buffer).setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(data, 8);
  return bytes;
}

/** A `tEXt` chunk: every character is below 256. */
export function latinChunk(keyword: string, text: string): Uint8Array<ArrayBuffer> {
  return chunk(
    "tEXt",
    Uint8Array.from(`${keyword}\0${text}`, (c) => c.charCodeAt(0)),
  );
}

/** An `iTXt` chunk. */
export function utf8Chunk(keyword: string, text: string): Uint8Array<ArrayBuffer> {
  return chunk("iTXt", new TextEncoder().encode(`${keyword}\0\0\0\0\0${text}`));
}

export function pngOf(...chunks: Uint8Array<ArrayBuffer>[]): Blob {
  const signature = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const header = chunk("IHDR", [0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]);
  return new Blob([signature, header, ...chunks, chunk("IEND", [])], { type: "image/png" });
}
