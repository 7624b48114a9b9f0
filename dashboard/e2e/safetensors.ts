// The layout of a safetensors file: eight bytes of length, a JSON header, then the tensors' bytes.

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
