"""Golden data of `morpheus lora merge`, `resize` and `extract`: the mathematics in NumPy, in double precision.

    pip install numpy==2.4.6 safetensors==0.8.0
    python tools/golden/lora_edits.py

The rules of `resize` and the clamp of `extract` are those of sd-scripts' resize_lora.py and
extract_lora_from_models.py, the projection is that of NP-LoRA (arXiv 2511.11051); nothing of theirs is copied.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parents[2] / "crates/diffusion/tests/golden"
LINEAR = "lora_unet_input_blocks_4_1_proj_in"
CONV = "lora_unet_input_blocks_1_0_in_layers_2"
# Output and input features, and the kernel.
LAYERS = {LINEAR: (24, 16, ()), CONV: (12, 6, (3, 3))}
FILES = {"a": (4, 2.0), "b": (3, 3.0)}


def numbers():
    random = np.random.default_rng(14)
    tensors = {}
    for file, (rank, alpha) in FILES.items():
        for layer, (n_out, n_in, kernel) in LAYERS.items():
            strength = 0.5 ** np.arange(rank)
            down = random.normal(size=(rank, n_in, *kernel))
            up = random.normal(size=(n_out, rank)) * strength
            tensors[f"{file}.{layer}.lora_down.weight"] = down.astype(np.float32)
            tensors[f"{file}.{layer}.lora_up.weight"] = up.reshape(n_out, rank, *(1 for _ in kernel)).astype(np.float32)
            tensors[f"{file}.{layer}.alpha"] = np.float32(alpha)
    return tensors


def change(tensors, file, layer):
    down = tensors[f"{file}.{layer}.lora_down.weight"].astype(np.float64)
    up = tensors[f"{file}.{layer}.lora_up.weight"].astype(np.float64)
    rank = down.shape[0]
    return FILES[file][1] / rank * up.reshape(-1, rank) @ down.reshape(rank, -1)


def cut(matrix, rank):
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vh[:rank]


def ranks(matrix):
    s = np.linalg.svd(matrix, compute_uv=False)
    return {
        "sv_fro 0.9": int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.9**2)) + 1,
        "sv_fro 0.99": int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.99**2)) + 1,
        "sv_cumulative 0.8": int(np.searchsorted(np.cumsum(s) / np.sum(s), 0.8)) + 1,
        "sv_ratio 3": int(np.sum(s > s[0] / 3)),
    }


def without(content, style, share, strength):
    _, s, vh = np.linalg.svd(style, full_matrices=False)
    s = s[s > 1e-9 * s[0]]
    k = len(s) if share == 1 else int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), share**2)) + 1
    v = vh[:k].T
    soft = np.linalg.inv(np.eye(v.shape[0]) + strength * v @ v.T) if np.isfinite(strength) else np.eye(v.shape[0]) - v @ v.T
    return content @ soft


def clamped(matrix, rank, quantile):
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    u, s, vh = u[:, :rank], s[:rank], vh[:rank]
    # The signs are free: the largest number of each row of vh is positive.
    signs = np.sign(vh[np.arange(rank), np.abs(vh).argmax(axis=1)])
    u, vh = u * signs * s, vh * signs[:, None]
    bound = np.quantile(np.concatenate([u.ravel(), vh.ravel()]), quantile)
    return np.clip(u, -bound, bound), np.clip(vh, -bound, bound)


def large(n_rows, n_columns):
    """A matrix that is easy to write in any language, with a spectrum that falls and ends in noise."""
    i, j = np.arange(1, n_rows + 1)[:, None], np.arange(1, n_columns + 1)[None]
    waves = sum(0.8**k * np.sin(0.37 * i * (k + 1)) * np.cos(0.11 * j * (k + 2)) for k in range(12))
    return (waves + 0.01 * np.sin(12.9898 * i + 78.233 * j + 0.001 * i * j * j)).astype(np.float32)


def main():
    tensors = numbers()
    rules = {}
    for layer in LAYERS:
        a, b = (change(tensors, file, layer) for file in "ab")
        tensors[f"sum.{layer}"] = 0.7 * a - 0.4 * b
        tensors[f"svd.{layer}"] = cut(0.7 * a - 0.4 * b, 2)
        tensors[f"resized.{layer}"] = cut(a, 2)
        tensors[f"hard.{layer}"] = a + 0.8 * without(b, a, 1, np.inf)
        tensors[f"soft.{layer}"] = a + 0.8 * without(b, a, 0.9, 0.5)
        rules[layer] = ranks(a)
    random = np.random.default_rng(15)
    matrix = random.normal(size=(20, 6)) @ random.normal(size=(6, 30)) * 0.3 + random.normal(size=(20, 30)) * 0.05
    tensors["difference"] = matrix.astype(np.float32)
    tensors["clamped.up"], tensors["clamped.down"] = clamped(tensors["difference"].astype(np.float64), 5, 0.99)
    tensors["large.values"] = np.linalg.svd(large(320, 260).astype(np.float64), compute_uv=False)[:10]
    tensors["wide.values"] = np.linalg.svd(large(230, 500).astype(np.float64), compute_uv=False)[:10]
    tensors = {name: np.asarray(tensor, dtype=np.float32, order="C") for name, tensor in tensors.items()}
    save_file(tensors, OUT / "lora_edits.safetensors", metadata={"ranks": json.dumps(rules)})


if __name__ == "__main__":
    main()
