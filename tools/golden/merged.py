"""Writes merged.safetensors: weights of tiny-xl with a LoRA merged in, by the mathematics of sd-scripts' merge_lora.py.

    python tools/golden/merged.py

The LoRA is foreign/kohya_locon.safetensors at 0.7, with linear layers and convolutions of the U-Net and layers of both
text encoders. Sums are in double precision, and each weight is rounded once: to F16 as tiny-xl is stored, and to BF16 as if
it were stored so. DTYPE/PART/NAME holds every fifth number of a weight.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WEIGHT = 0.7
STRIDE = 5
PARTS = {
    "unet": ("lora_unet_", "diffusion_pytorch_model"),
    "text_encoder": ("lora_te1_", "model"),
    "text_encoder_2": ("lora_te2_", "model"),
}


def change(lora, module):
    down, up = (lora[f"{module}.lora_{part}.weight"].double() for part in ("down", "up"))
    rank = down.shape[0]
    product = up.reshape(up.shape[0], rank) @ down.reshape(rank, -1)
    return lora[f"{module}.alpha"].double() / rank * product.reshape(up.shape[0], *down.shape[1:])


def write(base, folder):
    lora = load_file(folder / "foreign/kohya_locon.safetensors")
    modules = {name.split(".")[0] for name in lora}
    out, found = {}, set()
    for part, (prefix, stem) in PARTS.items():
        for name, weight in load_file(base / part / f"{stem}.safetensors").items():
            path = name.removesuffix(".weight").replace(".", "_")
            for module in (f"{prefix}{path}", f"{prefix}{path.removeprefix('text_model_')}"):
                if module not in modules or not name.endswith(".weight"):
                    continue
                found.add(module)
                for label, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16)):
                    stored = weight.to(dtype)
                    merged = (stored.double() + WEIGHT * change(lora, module).reshape(stored.shape)).to(dtype)
                    out[f"{label}/{part}/{name}"] = merged.float().flatten()[::STRIDE].to(dtype).contiguous()
    assert found == modules, modules - found
    save_file(out, folder / "merged.safetensors")


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    write(root / "assets/tiny-xl", root / "crates/diffusion/tests/golden")
