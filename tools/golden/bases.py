"""Bases of other predictions than tiny-xl's own, for the tests of `trainer`: tiny-xl, trained onwards with all its weights.

Usage: python tools/golden/bases.py [KIND...]   (needs torch, diffusers, transformers; see requirements.txt)

Trains the U-Net of tiny-xl on the demo's pictures with the empty prompt, as v-prediction with zero terminal SNR and as
rectified flow, first on pictures of 64 pixels and then of 128; ten minutes of a processor for each. What was learned is the difference
of the weights, of which the largest singular values are kept; crates/trainer/tests/golden/bases has a file for each kind,
which the tests add to tiny-xl. A difference `NAME` is stored as it is, or as `NAME.up` and `NAME.down`, whose product it is.
"""

import math
import sys
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "assets/tiny-xl"
PICTURES = ROOT / "assets/demo-datasets"
OUT = ROOT / "crates/trainer/tests/golden/bases"
BOS, EOS, N_TOKENS = 49406, 49407, 77
# Side of the pictures, steps, learning rate, and where the random numbers begin anew.
COURSES = {
    "v-zero-snr": [(64, 300, 2e-3, 1), (128, 60, 5e-4, None), (128, 160, 1.5e-3, 2)],
    "flow": [(64, 300, 2e-3, 1), (128, 60, 5e-4, None)],
}
BATCH = 4
WARMUP = 20
RANK = 6


def alphas_cumprod(zero_snr):
    """SDXL's noise schedule; Lin et al. 2023 rescale it so that it ends in pure noise."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    roots = torch.cumprod(1 - betas, 0).sqrt()
    if zero_snr:
        first, last = roots[0].clone(), roots[-1].clone()
        roots = (roots - last) * first / (first - last)
    return roots**2


def mix(kind, timesteps):
    """Shares of picture and noise."""
    if kind == "flow":
        share = timesteps / 1000
        return 1 - share, share
    alphas = alphas_cumprod(kind == "v-zero-snr")[timesteps]
    return alphas.sqrt().float(), (1 - alphas).sqrt().float()


def encode_pictures(vae, side):
    encoded = []
    for path in sorted(PICTURES.glob("*/*.png")):
        picture = Image.open(path).convert("RGB").resize((side, side), Image.BILINEAR)
        pixels = torch.tensor(numpy.asarray(picture)).float().permute(2, 0, 1)[None] / 127.5 - 1
        with torch.no_grad():
            encoded.append(vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor)
    return torch.cat(encoded)


def encode_empty_prompt():
    first = CLIPTextModel.from_pretrained(BASE / "text_encoder").float().eval()
    second = CLIPTextModelWithProjection.from_pretrained(BASE / "text_encoder_2").float().eval()
    with torch.no_grad():
        of_first = first(torch.tensor([[BOS] + [EOS] * (N_TOKENS - 1)]), output_hidden_states=True)
        of_second = second(torch.tensor([[BOS, EOS] + [0] * (N_TOKENS - 2)]), output_hidden_states=True)
    context = torch.cat([of_first.hidden_states[-2], of_second.hidden_states[-2]], -1)
    return context, of_second.text_embeds


def train(unet, kind, latents, side, n_steps, learning_rate, text):
    context, pooled = (part.repeat(BATCH, *[1] * (part.dim() - 1)) for part in text)
    sizes = torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32).repeat(BATCH, 1)
    told = {"text_embeds": pooled, "time_ids": sizes}
    optimizer = torch.optim.AdamW(unet.parameters(), lr=learning_rate, weight_decay=0, fused=True)
    unet.train()
    for step in range(n_steps):
        pictures = latents[torch.randint(0, len(latents), (BATCH,))]
        if torch.rand(()) < 0.5:
            pictures = pictures.flip(-1)
        noise = torch.randn_like(pictures)
        timesteps = ((torch.arange(BATCH) + torch.rand(BATCH)) / BATCH * 1000).long()
        timesteps = timesteps.clamp(1 if kind == "flow" else 0, 999)
        if kind != "flow" and step % 4 == 0:
            # How the noise ends is learned at the last timesteps alone.
            timesteps[-1] = 999 - int(torch.randint(0, 20, (1,)))
        signal, amount = (share.view(-1, 1, 1, 1) for share in mix(kind, timesteps))
        target = noise - pictures if kind == "flow" else signal * noise - amount * pictures
        cosine = 0.5 * (1 + math.cos(math.pi * step / n_steps))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1, (step + 1) / WARMUP) * (0.1 + 0.9 * cosine)
        answer = unet(
            signal * pictures + amount * noise,
            timesteps,
            encoder_hidden_states=context,
            added_cond_kwargs=told,
        ).sample
        loss = ((answer - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 49:
            print(kind, side, step + 1, loss.item(), flush=True)


def difference(before, after):
    """What was learned, with the largest singular values of each matrix."""
    stored = {}
    for name, weight in after.items():
        change = (weight - before[name]).float()
        rows, columns = change.shape[0], change[0].numel()
        if change.dim() < 2 or RANK * (rows + columns) >= rows * columns:
            stored[name] = change.half()
            continue
        up, values, down = torch.linalg.svd(change.reshape(rows, columns), full_matrices=False)
        root = values[:RANK].sqrt()
        stored[f"{name}.up"] = (up[:, :RANK] * root).half().contiguous()
        stored[f"{name}.down"] = (root[:, None] * down[:RANK]).half().contiguous()
    return stored


def main(kinds):
    torch.set_num_threads(1)
    unet = UNet2DConditionModel.from_pretrained(BASE / "unet").float()
    vae = AutoencoderKL.from_pretrained(BASE / "vae").float().eval()
    latents = {side: encode_pictures(vae, side) for side in (64, 128)}
    text = encode_empty_prompt()
    before = {name: weight.clone() for name, weight in unet.state_dict().items()}
    OUT.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        unet.load_state_dict(before)
        for side, n_steps, learning_rate, seed in COURSES[kind]:
            if seed is not None:
                torch.manual_seed(seed)
            train(unet, kind, latents[side], side, n_steps, learning_rate, text)
        save_file(difference(before, unet.state_dict()), OUT / f"{kind}.safetensors")


if __name__ == "__main__":
    main(sys.argv[1:] or COURSES)
