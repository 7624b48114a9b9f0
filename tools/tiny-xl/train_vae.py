"""Trains the VAE on the rendered pictures, fits its latents to SDXL's scale, and encodes all pictures.

    python train_vae.py WORK [--smoke]

Reads WORK/pictures.bin, writes WORK/vae/ and WORK/latents.npy.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from model import LATENT_SIZE, VAE_SCALE, load_pictures, to_tensor, vae
from optimizer import Average, MuonWithAdam, cosine
from torch.nn.functional import avg_pool2d, interpolate

N_HELD_OUT = 200  # the first pictures are never trained on
CROP_SIZE = 64
SHARE_OF_WHOLE_PICTURES = 0.18  # of the steps, at the end


@dataclass(frozen=True)
class Plan:
    n_steps: int
    n_decoder_steps: int
    n_report_every: int
    n_held_out: int


FULL = Plan(n_steps=9000, n_decoder_steps=1500, n_report_every=100, n_held_out=N_HELD_OUT)
SMOKE = Plan(n_steps=6, n_decoder_steps=3, n_report_every=2, n_held_out=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it runs")
    arguments = parser.parse_args()
    plan = SMOKE if arguments.smoke else FULL
    torch.manual_seed(0)
    pictures = load_pictures(arguments.work)
    held_out = to_tensor(pictures[: plan.n_held_out])
    model = vae().to(memory_format=torch.channels_last)

    train(model, pictures, plan)
    print(f"held-out PSNR {psnr(model, held_out):.2f} dB")
    fit_latents(model, pictures[:512])
    latents = encode_all(model, pictures)
    polish_decoder(model, pictures, latents, plan)
    print(f"held-out PSNR {psnr(model, held_out):.2f} dB after the decoder was polished")

    model.save_pretrained(arguments.work / "vae")
    np.save(arguments.work / "latents.npy", latents)


def train(model: AutoencoderKL, pictures: np.ndarray, plan: Plan) -> None:
    """Encoder and decoder together, on crops and at last on whole pictures."""
    rng = np.random.default_rng(0)
    optimizer = MuonWithAdam(*split(model.named_parameters()), beta_2=0.99)
    average = Average(model.parameters(), decay=0.995)
    for step in range(plan.n_steps):
        whole = step >= plan.n_steps * (1 - SHARE_OF_WHOLE_PICTURES)
        batch = whole_batch(pictures, plan, rng) if whole else crop_batch(pictures, plan, rng)
        loss = training_loss(model, batch.to(memory_format=torch.channels_last))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        share = cosine(step, plan.n_steps, n_warmup=50, lowest=0.01)
        optimizer.step(lr_muon=6e-3 * share, lr_adam=2e-3 * share)
        average.update()
        if (step + 1) % plan.n_report_every == 0:
            print(f"vae step {step + 1} of {plan.n_steps}: loss {loss.item():.4f}", flush=True)
    average.apply()


def training_loss(model: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    n, _, height, width = pictures.shape
    noise = torch.randn(n, 4, height // 8, width // 8)
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_variance = model.quant_conv(model.encoder(pictures)).chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 5)
        drawn = mean + torch.exp(0.5 * log_variance) * noise
        decoded = model.decoder(model.post_quant_conv(drawn))
    mean, log_variance = mean.float(), log_variance.float()
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    error = decoded.float() - pictures
    # The error at 1/8 size keeps flat areas at the right color.
    color = avg_pool2d(error, 8)
    color_loss = color.abs().mean() + (color**2).mean()
    return reconstruction_loss(error) + 3e-4 * divergence + 2.5 * color_loss


def reconstruction_loss(error: torch.Tensor) -> torch.Tensor:
    """L1 and L2 of the error, and the L1 of its gradient, which keeps lines sharp."""
    across = (error[..., 1:] - error[..., :-1]).abs().mean()
    down = (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    return error.abs().mean() + (error**2).mean() + 0.4 * (across + down)


def crop_batch(pictures: np.ndarray, plan: Plan, rng: np.random.Generator, n: int = 8) -> torch.Tensor:
    """Random crops, some of them scaled, mirrored, turned or gray."""
    crops = []
    for picture in to_tensor(pictures[np.sort(rng.integers(plan.n_held_out, len(pictures), n))]):
        if rng.random() < 0.2:
            factor = rng.uniform(0.7, 1.3)
            picture = interpolate(picture[None], scale_factor=factor, mode="bilinear", antialias=True)[0].clamp(-1, 1)
        top = rng.integers(0, picture.shape[1] - CROP_SIZE + 1)
        left = rng.integers(0, picture.shape[2] - CROP_SIZE + 1)
        crop = picture[:, top : top + CROP_SIZE, left : left + CROP_SIZE]
        if rng.random() < 0.5:
            crop = crop.flip(2)
        if rng.random() < 0.05:
            crop = crop.transpose(1, 2)
        if rng.random() < 0.03:
            crop = crop.mean(0, keepdim=True).expand(3, -1, -1)
        crops.append(crop)
    return torch.stack(crops)


def whole_batch(pictures: np.ndarray, plan: Plan, rng: np.random.Generator, n: int = 4) -> torch.Tensor:
    batch = to_tensor(pictures[np.sort(rng.integers(plan.n_held_out, len(pictures), n))])
    return batch.flip(3) if rng.random() < 0.3 else batch


@torch.no_grad()
def fit_latents(model: AutoencoderKL, pictures: np.ndarray) -> None:
    """Moves and scales the latents inside the 1×1 convolutions, so that VAE_SCALE makes them unit normal."""
    latents = encode(model, pictures)
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    scale = 1 / (VAE_SCALE * std)
    into, out = model.quant_conv, model.post_quant_conv
    into.weight[:4] *= scale[:, None, None, None]
    into.bias[:4] = (into.bias[:4] - mean) * scale
    into.bias[4:] += 2 * torch.log(scale)  # the log variances
    out.bias.add_(out.weight[:, :, 0, 0] @ mean)
    out.weight.div_(scale[None, :, None, None])


@torch.no_grad()
def encode(model: AutoencoderKL, pictures: np.ndarray) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        batches = [to_tensor(pictures[i : i + 64]) for i in range(0, len(pictures), 64)]
        return torch.cat([model.encode(batch).latent_dist.mean.float() for batch in batches])


def encode_all(model: AutoencoderKL, pictures: np.ndarray) -> np.ndarray:
    latents = np.zeros((len(pictures), 4, LATENT_SIZE, LATENT_SIZE), np.float16)
    for start in range(0, len(pictures), 1024):
        chunk = encode(model, pictures[start : start + 1024]) * VAE_SCALE
        latents[start : start + 1024] = chunk.half().numpy()
    return latents


def polish_decoder(model: AutoencoderKL, pictures: np.ndarray, latents: np.ndarray, plan: Plan) -> None:
    """The decoder alone, from slightly noisy latents, since the U-Net's are never perfect."""
    rng = np.random.default_rng(5)
    model.encoder.requires_grad_(False)
    model.quant_conv.requires_grad_(False)
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    optimizer = MuonWithAdam(*split(trained), beta_2=0.99)
    average = Average([p for _, p in trained], decay=0.99)
    for step in range(plan.n_decoder_steps):
        chosen = np.sort(rng.integers(plan.n_held_out, len(pictures), 4))
        clean = torch.from_numpy(latents[chosen].astype(np.float32))
        noisy = clean + torch.randn_like(clean) * torch.rand(len(chosen), 1, 1, 1) * 0.15
        with torch.autocast("cpu", torch.bfloat16):
            decoded = model.decoder(model.post_quant_conv(noisy / VAE_SCALE))
        loss = reconstruction_loss(decoded.float() - to_tensor(pictures[chosen]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in trained], 1.0)
        share = cosine(step, plan.n_decoder_steps, n_warmup=30, lowest=0.02)
        optimizer.step(lr_muon=4e-3 * share, lr_adam=1e-3 * share)
        average.update()
        if (step + 1) % plan.n_report_every == 0:
            print(f"decoder step {step + 1} of {plan.n_decoder_steps}: loss {loss.item():.4f}", flush=True)
    average.apply()


def split(named_parameters) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """Weights that Muon moves, and the others: the outermost layers are not matrices between features."""
    matrices, others = [], []
    for name, parameter in named_parameters:
        is_outermost = any(part in name for part in ("conv_in", "conv_out", "quant"))
        (matrices if parameter.ndim >= 2 and not is_outermost else others).append(parameter)
    return matrices, others


@torch.no_grad()
def psnr(model: AutoencoderKL, pictures: torch.Tensor) -> float:
    decoded = model.decode(model.encode(pictures).latent_dist.mean).sample.clamp(-1, 1)
    return -10 * math.log10(((decoded - pictures) / 2).pow(2).mean().item())


if __name__ == "__main__":
    main()
