// The layout of a safetensors file: eight bytes of length, a JSON header, then the tensors' bytes. And of a zip archive.
import { crc32 } from "node:zlib";

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Reads the header, and throws unless the tensors fill the rest of the file without gap or overlap. */
export function readSafetensors(file: Buffer): {
  metadata: Record<string, string>;
  tensors: (Tensor & { name: string })[];
} {
  const length = Number(file.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    file.subarray(8, 8 + length).toString("utf8"),
  ) as Record<string, Tensor> & { __metadata__?: Record<string, string> };
  const tensors = Object.entries(entries).map(([name, tensor]) => ({ name, ...(tensor as Tensor) }));
  let end = 0;
  for (const { name, data_offsets } of [...tensors].sort((a, b) => a.data_offsets[0] - b.data_offsets[0])) {
    if (data_offsets[0] !== end) throw new Error(`\`${name}\` begins at ${data_offsets[0]}, not ${end}`);
    end = data_offsets[1];
  }
  if (8 + length + end !== file.length)
    throw new Error(`the file has ${file.length} bytes, not ${8 + length + end}`);
  return { metadata, tensors };
}

/** Writes a file of f32 tensors, in the order of the list. */
export function writeSafetensors(
  tensors: { name: string; shape: number[]; value: (index: number) => number }[],
): Buffer {
  const header: Record<string, Tensor> = {};
  const parts: Buffer[] = [];
  let end = 0;
  for (const { name, shape, value } of tensors) {
    const n = shape.reduce((product, side) => product * side, 1);
    parts.push(Buffer.from(Float32Array.from({ length: n }, (_, index) => value(index)).buffer));
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + 4 * n] };
    end += 4 * n;
  }
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json, ...parts]);
}

/** A LoRA of rank 1 for one layer of tiny-xl, and for others, under the names of a library. */
export function loraFile(before: string, layers: string[] = [LAYER]): Buffer {
  const half = (name: string, shape: number[]) => ({
    name,
    shape,
    value: (index: number) => Math.sin(index) * 1.4,
  });
  return writeSafetensors(
    layers.flatMap((layer) => [
      half(`${before}${layer}.lora_A.weight`, [1, 128]),
      half(`${before}${layer}.lora_B.weight`, [128, 1]),
    ]),
  );
}

/** A layer that tiny-xl has. */
export const LAYER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";

/** An archive of files as they are, as PKWARE's APPNOTE 6.3.10 lays it out (4.3.7, 4.3.12, 4.3.16). */
export function writeZip(files: [name: string, content: Buffer][]): Buffer {
  const parts: Buffer[] = [];
  const list: Buffer[] = [];
  let end = 0;
  for (const [name, content] of files) {
    const title = Buffer.from(name);
    // Version 2.0, no flags, stored, at the beginning of 1980, then the checksum and both sizes.
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x21, 8);
    facts.writeUInt32LE(crc32(content), 10);
    facts.writeUInt32LE(content.length, 14);
    facts.writeUInt32LE(content.length, 18);
    facts.writeUInt16LE(title.length, 22);
    const entry = Buffer.concat([Buffer.from("PK\x03\x04"), facts, title, content]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(end, 10);
    list.push(Buffer.from("PK\x01\x02\x14\x00"), facts, place, title);
    parts.push(entry);
    end += entry.length;
  }
  const directory = Buffer.concat(list);
  const tail = Buffer.alloc(18);
  tail.writeUInt16LE(files.length, 4);
  tail.writeUInt16LE(files.length, 6);
  tail.writeUInt32LE(directory.length, 8);
  tail.writeUInt32LE(end, 12);
  return Buffer.concat([...parts, directory, Buffer.from("PK\x05\x06"), tail]);
}
