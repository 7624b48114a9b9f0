"""Trains both text encoders and the U-Net on the encoded pictures.

    python train_unet.py WORK [--smoke]

Reads WORK/captions.json and WORK/latents.npy, writes WORK/tiny_xl.pt.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from model import (
    END_OF_TEXT,
    N_TIMESTEPS,
    TIME_IDS,
    TinyXl,
    WIDTH_1,
    WIDTH_2,
    alphas_cumprod,
    token_table,
    tokenize,
    tokenizer,
    untrained_tokens,
)
from optimizer import Average, MuonWithAdam, cosine

N_HELD_OUT = 300  # the first pictures are never trained on
N_FREQUENT_WORDS = 4000
MIN_SNR_GAMMA = 5.0  # Hang et al. 2023, arXiv 2303.09556
VALIDATION_TIMESTEPS = (50, 200, 400, 600, 800, 950)


@dataclass(frozen=True)
class Plan:
    n_steps: int
    batch_size: int
    n_report_every: int
    n_held_out: int


# 2,562 steps of 32 are what the shipped model was trained for: 29 minutes on two cores.
FULL = Plan(n_steps=2562, batch_size=32, n_report_every=100, n_held_out=N_HELD_OUT)
SMOKE = Plan(n_steps=4, batch_size=4, n_report_every=2, n_held_out=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it runs")
    arguments = parser.parse_args()
    plan = SMOKE if arguments.smoke else FULL
    torch.manual_seed(0)
    captions = json.loads((arguments.work / "captions.json").read_text())
    data = Data(captions, torch.from_numpy(np.load(arguments.work / "latents.npy")).float(), plan)
    model = initialize(TinyXl(len(data.vocabulary)), data.vocabulary)
    model.unet.to(memory_format=torch.channels_last)

    train(model, data, plan)
    for timestep, loss in zip(VALIDATION_TIMESTEPS, validation_losses(model, data)):
        print(f"held-out loss at timestep {timestep}: {loss:.4f}")
    torch.save({"model": model.state_dict(), "vocabulary": data.vocabulary}, arguments.work / "tiny_xl.pt")


class Data:
    """Latents with their tokens, numbered within the vocabulary that is trained."""

    def __init__(self, captions: list[list[str]], latents: torch.Tensor, plan: Plan):
        n_pictures, n_captions = len(captions), len(captions[0])
        first, second = tokenize([caption for pair in captions for caption in pair])
        self.vocabulary = vocabulary(first, second)
        self.tokens_1 = self.number(first).reshape(n_pictures, n_captions, -1)
        self.tokens_2 = self.number(second).reshape(n_pictures, n_captions, -1)
        self.empty_1, self.empty_2 = (self.number(tokens)[0] for tokens in tokenize([""]))
        self.end = len(self.vocabulary) - 1
        self.latents = latents
        self.n_held_out = plan.n_held_out
        self.batch_size = plan.batch_size
        self.rng = np.random.default_rng(1)

    def number(self, tokens: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.vocabulary, tokens)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents, tokens for both encoders, time_ids, and where the text conditioning is kept."""
        rng, n = self.rng, self.batch_size
        pictures = rng.integers(self.n_held_out, len(self.latents), n)
        which = rng.integers(0, self.tokens_1.shape[1], n)
        tokens_1, tokens_2 = self.tokens_1[pictures, which].copy(), self.tokens_2[pictures, which].copy()
        for i in range(n):
            chance = rng.random()
            if chance < 0.05:
                tokens_1[i], tokens_2[i] = self.empty_1, self.empty_2
            elif chance < 0.20:
                self.insert_words(tokens_1[i], tokens_2[i])
        keep_text = torch.from_numpy((rng.random(n) > 0.05).astype(np.float32))
        return (
            self.latents[pictures],
            torch.from_numpy(tokens_1),
            torch.from_numpy(tokens_2),
            self.time_ids(n),
            keep_text,
        )

    def insert_words(self, tokens_1: np.ndarray, tokens_2: np.ndarray) -> None:
        """Puts one to three words anywhere, so that a word without a meaning (a trigger word) does no harm."""
        length = int((tokens_1 != self.end).sum())
        words = list(tokens_1[1:length])
        for _ in range(self.rng.integers(1, 4)):
            words.insert(self.rng.integers(0, len(words) + 1), int(self.rng.integers(1, self.end - 1)))
        words = words[: len(tokens_1) - 2]
        start = self.end - 1
        tokens_1[:], tokens_2[:] = self.end, 0
        tokens_1[0] = tokens_2[0] = start
        tokens_1[1 : 1 + len(words)] = tokens_2[1 : 1 + len(words)] = words
        tokens_2[1 + len(words)] = self.end

    def time_ids(self, n: int) -> torch.Tensor:
        """Mostly the real size; random sizes and crops in 30 %, so that other values are not unknown."""
        ids = np.tile(np.array(TIME_IDS, np.float32), (n, 1))
        for row in ids[self.rng.random(n) < 0.3]:
            row[0:2] = self.rng.integers(48, 1100, 2)
            if self.rng.random() < 0.3:
                row[2:4] = self.rng.integers(0, 64, 2)
        return torch.from_numpy(ids)


def vocabulary(*token_arrays: np.ndarray) -> np.ndarray:
    """The tokens that captions use and the most frequent other words; a low id means a frequent word."""
    ids = tokenizer().get_vocab()
    whole_words = [
        id
        for token, id in ids.items()
        if token.endswith("</w>") and token[:-4].isascii() and token[:-4].isalpha() and 3 <= len(token) - 4 <= 9
    ]
    special = [0, END_OF_TEXT - 1, END_OF_TEXT]
    used = np.concatenate([tokens.ravel() for tokens in token_arrays])
    return np.unique(np.concatenate([used, sorted(whole_words)[:N_FREQUENT_WORDS], special]))


@torch.no_grad()
def initialize(model: TinyXl, vocabulary: np.ndarray) -> TinyXl:
    for encoder, width in ((model.text_encoder, WIDTH_1), (model.text_encoder_2, WIDTH_2)):
        token_table(encoder).copy_(untrained_tokens(width)[vocabulary])
        for module in encoder.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=0.7 * module.weight.shape[1] ** -0.5)
    # Residual branches start small, so that the signal keeps its size through the depth.
    for name, parameter in model.unet.named_parameters():
        if name.endswith(("conv2.weight", "to_out.0.weight", "ff.net.2.weight", "proj_out.weight")):
            parameter.mul_(0.3)
    model.unet.conv_out.weight.mul_(0.1)
    # Only penultimate hidden states are used, so the first encoder's last layer learns nothing.
    for name, parameter in model.text_encoder.named_parameters():
        if "layers.11." in name or "final_layer_norm" in name:
            parameter.requires_grad_(False)
    return model


def train(model: TinyXl, data: Data, plan: Plan) -> None:
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    parameters = [parameter for _, parameter in named]
    not_matrices = ("embedding", "conv_in", "conv_out", "time_emb", "add_emb")
    is_matrix = [p.ndim >= 2 and not any(part in name for part in not_matrices) for name, p in named]
    optimizer = MuonWithAdam(
        [p for p, matrix in zip(parameters, is_matrix) if matrix],
        [p for p, matrix in zip(parameters, is_matrix) if not matrix],
        beta_2=0.98,
    )
    average = Average(parameters, decay=0.999)
    alphas = alphas_cumprod()
    snr = alphas / (1 - alphas)
    for step in range(plan.n_steps):
        latents, tokens_1, tokens_2, time_ids, keep_text = data.batch()
        timesteps = torch.from_numpy(data.rng.integers(0, N_TIMESTEPS, len(latents)))
        noise = torch.randn_like(latents)
        noisy = add_noise(alphas, latents, noise, timesteps)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = model(noisy, timesteps, tokens_1, tokens_2, time_ids, keep_text)
        losses = ((predicted.float() - noise) ** 2).mean((1, 2, 3))
        loss = (losses * snr[timesteps].clamp(max=MIN_SNR_GAMMA) / snr[timesteps]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        share = cosine(step, plan.n_steps, n_warmup=100, lowest=0.03, flat=0.1)
        optimizer.step(lr_muon=4e-3 * share, lr_adam=1.5e-3 * share)
        average.update()
        if (step + 1) % plan.n_report_every == 0:
            print(f"unet step {step + 1} of {plan.n_steps}: loss {losses.mean().item():.4f}", flush=True)
    average.apply()


def add_noise(alphas, latents, noise, timesteps) -> torch.Tensor:
    signal = alphas[timesteps].sqrt()[:, None, None, None]
    rest = (1 - alphas[timesteps]).sqrt()[:, None, None, None]
    return signal * latents + rest * noise


@torch.no_grad()
def validation_losses(model: TinyXl, data: Data, n_pictures: int = 96) -> list[float]:
    """Mean squared error of the predicted noise on held-out pictures, at fixed timesteps and noise."""
    generator = torch.Generator().manual_seed(3)
    n = min(n_pictures, data.n_held_out)
    latents, alphas = data.latents[:n], alphas_cumprod()
    tokens_1, tokens_2 = torch.from_numpy(data.tokens_1[:n, 0]), torch.from_numpy(data.tokens_2[:n, 0])
    time_ids, keep_text = torch.tensor([TIME_IDS]).expand(n, -1), torch.ones(n)
    losses = []
    for timestep in VALIDATION_TIMESTEPS:
        timesteps = torch.full((n,), timestep)
        noise = torch.randn(latents.shape, generator=generator)
        noisy = add_noise(alphas, latents, noise, timesteps)
        with torch.autocast("cpu", torch.bfloat16):
            predicted = model(noisy, timesteps, tokens_1, tokens_2, time_ids, keep_text)
        losses.append(((predicted.float() - noise) ** 2).mean().item())
    return losses


if __name__ == "__main__":
    main()
