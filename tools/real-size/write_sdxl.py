"""Writes a Stable Diffusion XL of true size with random weights: 3.47 billion parameters, 6.9 GB in half precision.

It draws nothing that means anything. It is for measuring memory and time, and never committed:

    python tools/real-size/write_sdxl.py /tmp/random-sdxl.safetensors

The standard library is enough. Tensors are written one after another, with the names of the original single file. All
are pieces of one sequence of normal numbers, whose length is prime, so that no row of a matrix is the same as another.
"""

import json
import random
import struct
import sys
from math import prod

N_NUMBERS = 65521
CHANNELS, DEPTHS = (320, 640, 1280), (0, 2, 10)
TIME, CONTEXT, VECTOR = 1280, 2048, 2816
VAE_CHANNELS = (128, 256, 512, 512)


def main(path):
    tensors = {**unet(), **clip_l(), **clip_g(), **vae()}
    header, end = {}, 0
    for name, (shape, _) in tensors.items():
        start, end = end, end + 2 * prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    blocks = Blocks()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for i, (shape, kind) in enumerate(tensors.values()):
            write(file, blocks.of(shape, kind), i, 2 * prod(shape))
    print(f"{path}: {len(tensors)} tensors, {(8 + len(text) + end) / 1e9:.2f} GB")


class Blocks:
    """What tensors are pieces of, as bytes."""

    def __init__(self):
        generator = random.Random(0)
        self.numbers = [generator.gauss(0, 1) for _ in range(N_NUMBERS)]
        self.scaled = {}

    def of(self, shape, kind):
        """Weights have a variance of one over their inputs, so that values keep about their size on the way."""
        if kind == "bias":
            return bytes(2 * N_NUMBERS)
        if kind == "norm":
            return struct.pack("<e", 1.0) * N_NUMBERS
        scale = 0.02 if kind == "embedding" else prod(shape[1:]) ** -0.5
        if scale not in self.scaled:
            scaled = (scale * number for number in self.numbers)
            self.scaled[scale] = struct.pack(f"<{N_NUMBERS}e", *scaled)
        return self.scaled[scale]


def write(file, block, i, left):
    turn = 2 * (i * 7919 % N_NUMBERS)
    block = block[turn:] + block[:turn]
    while left > 0:
        left -= file.write(block[:left])


class Parts(dict):
    """Names, shapes and kinds of tensors."""

    def norm(self, name, n):
        self[f"{name}.weight"] = ([n], "norm")
        self[f"{name}.bias"] = ([n], "bias")

    def layer(self, name, shape, bias=True):
        self[f"{name}.weight"] = (shape, "weight")
        if bias:
            self[f"{name}.bias"] = ([shape[0]], "bias")

    def conv(self, name, n_in, n_out, kernel=3):
        self.layer(name, [n_out, n_in, kernel, kernel])


def unet():
    parts = Parts()

    def residual(name, n_in, n_out):
        parts.norm(f"{name}.in_layers.0", n_in)
        parts.conv(f"{name}.in_layers.2", n_in, n_out)
        parts.layer(f"{name}.emb_layers.1", [n_out, TIME])
        parts.norm(f"{name}.out_layers.0", n_out)
        parts.conv(f"{name}.out_layers.3", n_out, n_out)
        if n_in != n_out:
            parts.conv(f"{name}.skip_connection", n_in, n_out, 1)

    def transformer(name, c, depth):
        parts.norm(f"{name}.norm", c)
        parts.layer(f"{name}.proj_in", [c, c])
        for i in range(depth):
            block = f"{name}.transformer_blocks.{i}"
            for n, context in ((1, c), (2, CONTEXT)):
                parts.norm(f"{block}.norm{n}", c)
                parts.layer(f"{block}.attn{n}.to_q", [c, c], False)
                parts.layer(f"{block}.attn{n}.to_k", [c, context], False)
                parts.layer(f"{block}.attn{n}.to_v", [c, context], False)
                parts.layer(f"{block}.attn{n}.to_out.0", [c, c])
            parts.norm(f"{block}.norm3", c)
            parts.layer(f"{block}.ff.net.0.proj", [8 * c, c])
            parts.layer(f"{block}.ff.net.2", [c, 4 * c])
        parts.layer(f"{name}.proj_out", [c, c])

    first = CHANNELS[0]
    parts.layer("time_embed.0", [TIME, first])
    parts.layer("time_embed.2", [TIME, TIME])
    parts.layer("label_emb.0.0", [TIME, VECTOR])
    parts.layer("label_emb.0.2", [TIME, TIME])
    parts.conv("input_blocks.0.0", 4, first)
    c, skips, n = first, [first], 1
    for level, (width, depth) in enumerate(zip(CHANNELS, DEPTHS)):
        for _ in range(2):
            residual(f"input_blocks.{n}.0", c, width)
            if depth:
                transformer(f"input_blocks.{n}.1", width, depth)
            c, n = width, n + 1
            skips.append(c)
        if level < 2:
            parts.conv(f"input_blocks.{n}.0.op", c, c)
            skips.append(c)
            n += 1
    residual("middle_block.0", c, c)
    transformer("middle_block.1", c, DEPTHS[-1])
    residual("middle_block.2", c, c)
    n = 0
    for level, (width, depth) in reversed(list(enumerate(zip(CHANNELS, DEPTHS)))):
        for i in range(3):
            residual(f"output_blocks.{n}.0", c + skips.pop(), width)
            c = width
            if depth:
                transformer(f"output_blocks.{n}.1", width, depth)
            if i == 2 and level > 0:
                parts.conv(f"output_blocks.{n}.{2 if depth else 1}.conv", c, c)
            n += 1
    parts.norm("out.0", c)
    parts.conv("out.2", c, 4)
    return {f"model.diffusion_model.{name}": tensor for name, tensor in parts.items()}


def clip_l():
    parts, width = Parts(), 768
    parts["embeddings.token_embedding.weight"] = ([49408, width], "embedding")
    parts["embeddings.position_embedding.weight"] = ([77, width], "embedding")
    for i in range(12):
        layer = f"encoder.layers.{i}"
        parts.norm(f"{layer}.layer_norm1", width)
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            parts.layer(f"{layer}.self_attn.{name}", [width, width])
        parts.norm(f"{layer}.layer_norm2", width)
        parts.layer(f"{layer}.mlp.fc1", [4 * width, width])
        parts.layer(f"{layer}.mlp.fc2", [width, 4 * width])
    parts.norm("final_layer_norm", width)
    prefix = "conditioner.embedders.0.transformer.text_model."
    return {prefix + name: tensor for name, tensor in parts.items()}


def clip_g():
    parts, width = Parts(), 1280
    parts["token_embedding.weight"] = ([49408, width], "embedding")
    parts["positional_embedding"] = ([77, width], "embedding")
    for i in range(32):
        block = f"transformer.resblocks.{i}"
        parts.norm(f"{block}.ln_1", width)
        parts[f"{block}.attn.in_proj_weight"] = ([3 * width, width], "weight")
        parts[f"{block}.attn.in_proj_bias"] = ([3 * width], "bias")
        parts.layer(f"{block}.attn.out_proj", [width, width])
        parts.norm(f"{block}.ln_2", width)
        parts.layer(f"{block}.mlp.c_fc", [4 * width, width])
        parts.layer(f"{block}.mlp.c_proj", [width, 4 * width])
    parts.norm("ln_final", width)
    parts["text_projection"] = ([width, width], "weight")
    return {f"conditioner.embedders.1.model.{name}": tensor for name, tensor in parts.items()}


def vae():
    parts = Parts()

    def residual(name, n_in, n_out):
        parts.norm(f"{name}.norm1", n_in)
        parts.conv(f"{name}.conv1", n_in, n_out)
        parts.norm(f"{name}.norm2", n_out)
        parts.conv(f"{name}.conv2", n_out, n_out)
        if n_in != n_out:
            parts.conv(f"{name}.nin_shortcut", n_in, n_out, 1)

    def middle(side, c):
        residual(f"{side}.mid.block_1", c, c)
        parts.norm(f"{side}.mid.attn_1.norm", c)
        for name in ("q", "k", "v", "proj_out"):
            parts.conv(f"{side}.mid.attn_1.{name}", c, c, 1)
        residual(f"{side}.mid.block_2", c, c)

    first, last = VAE_CHANNELS[0], VAE_CHANNELS[-1]
    parts.conv("encoder.conv_in", 3, first)
    c = first
    for level, width in enumerate(VAE_CHANNELS):
        for i in range(2):
            residual(f"encoder.down.{level}.block.{i}", c, width)
            c = width
        if level < 3:
            parts.conv(f"encoder.down.{level}.downsample.conv", c, c)
    middle("encoder", last)
    parts.norm("encoder.norm_out", last)
    parts.conv("encoder.conv_out", last, 8)
    parts.conv("decoder.conv_in", 4, last)
    middle("decoder", last)
    c = last
    for level, width in reversed(list(enumerate(VAE_CHANNELS))):
        for i in range(3):
            residual(f"decoder.up.{level}.block.{i}", c, width)
            c = width
        if level > 0:
            parts.conv(f"decoder.up.{level}.upsample.conv", c, c)
    parts.norm("decoder.norm_out", first)
    parts.conv("decoder.conv_out", first, 3)
    parts.conv("quant_conv", 8, 8, 1)
    parts.conv("post_quant_conv", 4, 4, 1)
    return {f"first_stage_model.{name}": tensor for name, tensor in parts.items()}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: write_sdxl.py FILE.safetensors")
    main(sys.argv[1])
