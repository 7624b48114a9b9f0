"""Writes crates/diffusion/tests/golden with PyTorch, diffusers, transformers, peft and LyCORIS (see requirements.txt).

    python tools/golden/generate.py

Inputs are drawn from `torch.Generator("cpu").manual_seed(n)`, which `diffusion::random` reproduces, so that only
outputs are stored. Run it again only when the reference or tiny-xl changes; the tests say what they compare.
"""

import random
from pathlib import Path

import diffusers
import torch
import transformers

import foreign
import loras
import merged
import models
import pictures
import predictions
import prompts
import schedulers

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "assets/tiny-xl"
OUT = ROOT / "crates/diffusion/tests/golden"


def main():
    random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    OUT.mkdir(parents=True, exist_ok=True)
    loras.write(OUT)
    schedulers.write(OUT)
    models.write(BASE, OUT)
    pictures.write(BASE, OUT)
    prompts.write(BASE, OUT)
    predictions.write(BASE, OUT)
    foreign.write(BASE, OUT)
    merged.write(BASE, OUT)


if __name__ == "__main__":
    main()
