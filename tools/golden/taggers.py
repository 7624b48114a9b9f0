"""Golden data of vision transformers: what timm's says with weights that a formula makes, and how Pillow brings a picture
to the square that a tagger sees.

Needs torch, timm, safetensors and pillow. Writes crates/diffusion/tests/golden/taggers.safetensors and
crates/dataset/src/picture/square/golden.rgb.

Tensors are counted in the alphabetical order of their names: number i of tensor k is scale * sin(0.7 i + k), and norms have
1 added to their weights. The pictures are sin(0.3 i + 1) in the order [batch, height, width, channel].
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer

ROOT = Path(__file__).parents[2]


def wave(shape, rate, start):
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    return torch.from_numpy(np.sin(rate * i + start)).float().reshape(shape)


def fill(model):
    state = model.state_dict()
    for k, name in enumerate(sorted(state)):
        is_norm = "norm" in name and name.endswith("weight")
        scale = 0.5 if name.endswith("gamma") else 0.2
        state[name] = scale * wave(state[name].shape, 0.7, k) + (1.0 if is_norm else 0.0)
    model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def networks():
    size = dict(img_size=32, patch_size=8, embed_dim=64, depth=2, num_heads=2)
    tagger = VisionTransformer(
        **size, num_classes=10, class_token=False, global_pool="avg", fc_norm=False, act_layer="gelu_tanh"
    )
    pooled_norm = VisionTransformer(**size, num_classes=10, class_token=False, global_pool="avg", fc_norm=True)
    described = VisionTransformer(**size, num_classes=0, global_pool="token", init_values=1.0)
    pictures = wave((2, 32, 32, 3), 0.3, 1).permute(0, 3, 1, 2)
    return {
        "tagger": fill(tagger)(pictures),
        "pooled_norm": fill(pooled_norm)(pictures),
        "class_token": fill(described)(pictures),
    }


def square():
    """A picture of 61 x 40 pixels, padded with white to a square and resized to 24 x 24 pixels."""
    x, y, c = np.meshgrid(np.arange(61), np.arange(40), np.arange(3))
    pixels = ((7 * x + 13 * y + 50 * c + x * y) % 256).astype(np.uint8)
    padded = Image.new("RGB", (61, 61), (255, 255, 255))
    padded.paste(Image.fromarray(pixels), (0, (61 - 40) // 2))
    return padded.resize((24, 24), Image.BICUBIC)


if __name__ == "__main__":
    tensors = {name: tensor.contiguous() for name, tensor in networks().items()}
    save_file(tensors, ROOT / "crates/diffusion/tests/golden/taggers.safetensors")
    folder = ROOT / "crates/dataset/src/picture/square"
    folder.mkdir(exist_ok=True)
    (folder / "golden.rgb").write_bytes(square().tobytes())
