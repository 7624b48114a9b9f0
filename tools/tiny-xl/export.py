"""Writes the trained parts as a diffusers folder in half precision, as it ships in assets/tiny-xl.

    python export.py WORK OUT

Reads WORK/vae/ and WORK/tiny_xl.pt. OUT loads in StableDiffusionXLPipeline.from_pretrained.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from model import (
    LATENT_SIZE,
    TIME_IDS,
    TOKENIZER,
    VOCABULARY_SIZE,
    WIDTH_1,
    WIDTH_2,
    TinyXl,
    scheduler,
    token_table,
    tokenize,
    tokenizer,
    untrained_tokens,
    vae,
)
from safetensors.torch import load_file, save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    trained = torch.load(arguments.work / "tiny_xl.pt", weights_only=False)
    compact = TinyXl(len(trained["vocabulary"])).eval()
    compact.load_state_dict(trained["model"])

    full = with_whole_vocabulary(compact, trained["vocabulary"])
    fold_projection(full)
    check_same(compact, full, trained["vocabulary"])

    autoencoder = vae()
    autoencoder.load_state_dict(load_file(arguments.work / "vae/diffusion_pytorch_model.safetensors"))
    pipeline = StableDiffusionXLPipeline(
        vae=autoencoder.half(),
        text_encoder=full.text_encoder.half(),
        text_encoder_2=full.text_encoder_2.half(),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=full.unet.half(),
        scheduler=scheduler(),
    )
    pipeline.save_pretrained(arguments.out)
    name_as_sdxl_does(arguments.out / "text_encoder/model.safetensors")
    share_tokenizer(arguments.out)
    n_parameters = sum(p.numel() for part in (full, autoencoder) for p in part.parameters())
    print(f"wrote {arguments.out} with {n_parameters / 1e6:.1f} M parameters")


@torch.no_grad()
def with_whole_vocabulary(compact: TinyXl, vocabulary: np.ndarray) -> TinyXl:
    """The same model with a row for every token; those that were never trained keep their first value."""
    full = TinyXl(VOCABULARY_SIZE).eval()
    tables = {
        name: untrained_tokens(width)
        for name, width in (("text_encoder", WIDTH_1), ("text_encoder_2", WIDTH_2))
    }
    for name, table in tables.items():
        table[vocabulary] = token_table(getattr(compact, name)).detach()
    state = {key: value for key, value in compact.state_dict().items() if "token_embedding" not in key}
    missing, unexpected = full.load_state_dict(state, strict=False)
    assert not unexpected and all("token_embedding" in key for key in missing), (missing, unexpected)
    for name, table in tables.items():
        token_table(getattr(full, name)).copy_(table)
    return full


@torch.no_grad()
def fold_projection(model: TinyXl) -> None:
    """Moves the second encoder's projection into the U-Net's conditioning; what is stored is the identity."""
    projection = model.text_encoder_2.text_projection.weight
    into = model.unet.add_embedding.linear_1.weight
    into[:, :WIDTH_2] = into[:, :WIDTH_2] @ projection
    projection.copy_(torch.eye(WIDTH_2))


@torch.no_grad()
def check_same(compact: TinyXl, full: TinyXl, vocabulary: np.ndarray) -> None:
    """What is exported must predict what was trained."""
    latents = torch.randn(2, 4, LATENT_SIZE, LATENT_SIZE, generator=torch.Generator().manual_seed(0))
    first, second = tokenize(["lorelei ink comic portrait of a person with long hair, blue background", ""])
    rest = (torch.tensor([TIME_IDS]).expand(2, -1), torch.ones(2))
    timesteps = torch.tensor([100, 900])
    numbered = [torch.from_numpy(np.searchsorted(vocabulary, tokens)) for tokens in (first, second)]
    before = compact(latents, timesteps, *numbered, *rest)
    after = full(latents, timesteps, torch.from_numpy(first), torch.from_numpy(second), *rest)
    difference = (before - after).abs().max().item()
    assert difference < 1e-4, f"the exported model predicts something else: largest difference {difference}"


def name_as_sdxl_does(file: Path) -> None:
    """Newer versions of transformers leave out a prefix that SDXL's own text encoder files have."""
    prefix = "text_model."
    tensors = {key if key.startswith(prefix) else prefix + key: value for key, value in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})


def share_tokenizer(out: Path) -> None:
    """Both encoders use CLIP's vocabulary: it is stored once, in the files that it came in."""
    for name in ("tokenizer", "tokenizer_2"):
        shutil.rmtree(out / name)
    shutil.copytree(TOKENIZER, out / "tokenizer")
    os.symlink("tokenizer", out / "tokenizer_2")
    index = json.loads((out / "model_index.json").read_text())
    index["tokenizer"] = index["tokenizer_2"] = ["transformers", "CLIPTokenizer"]
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


if __name__ == "__main__":
    main()
