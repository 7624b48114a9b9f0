"""Writes noise.safetensors: the pyramid noise of sd-scripts."""

from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).resolve().parents[2] / "crates/trainer/tests/golden"


def multires(shape, n_levels, discount):
    """Levels on zeros, `[channels, height, width]`, from one generator for the ratios and the numbers."""
    generator = torch.Generator().manual_seed(7)
    noise = torch.zeros(1, *shape)
    enlarge = torch.nn.Upsample(size=shape[1:], mode="bilinear")
    for level in range(n_levels):
        ratio = 2 + 2 * torch.rand(1, generator=generator).double().item()
        height, width = (max(1, int(side / ratio**level)) for side in shape[1:])
        noise += enlarge(torch.randn(1, shape[0], height, width, generator=generator)) * discount**level
        if 1 in (height, width):
            break
    return {"added": noise[0], "normalized": (noise / noise.std())[0]}


if __name__ == "__main__":
    save_file(multires((2, 12, 20), 6, 0.6), FOLDER / "noise.safetensors")
