"""Sizes of tiny-xl, its parts, and how a caption becomes tokens.

The topology is SDXL's: the same blocks, two text encoders, text_time conditioning, an f8 VAE with 4 latent
channels. Only the widths are small. With few channels, few norm groups are needed: with two channels to a group
the VAE never learned green against magenta.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

PICTURE_SIZE = 128
LATENT_SIZE = PICTURE_SIZE // 8
N_TIMESTEPS = 1000
VAE_SCALE = 0.13025  # stabilityai/sdxl-vae config.json, scaling_factor
VOCABULARY_SIZE = 49408  # CLIP's byte-pair vocabulary
N_TOKENS = 77
END_OF_TEXT = 49407
WIDTH_1, WIDTH_2 = 32, 64  # hidden sizes of the two text encoders
TOKENIZER = Path(__file__).resolve().parents[2] / "assets/tiny-xl/tokenizer"
# The size and crop that a picture is conditioned on when nothing else is said: original, crop, target.
TIME_IDS = (128.0, 128.0, 0.0, 0.0, 128.0, 128.0)


def vae() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[16, 32, 64, 64],
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=PICTURE_SIZE,
        scaling_factor=VAE_SCALE,
    )


def unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=4,
        out_channels=4,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        block_out_channels=[32, 64, 128],
        layers_per_block=2,
        transformer_layers_per_block=[1, 1, 2],
        attention_head_dim=[1, 2, 4],  # diffusers means the number of heads; each is 32 wide
        cross_attention_dim=WIDTH_1 + WIDTH_2,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=WIDTH_2 + len(TIME_IDS) * 256,
        norm_num_groups=4,
    )


def text_encoders(vocabulary_size: int) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    common = dict(
        vocab_size=vocabulary_size,
        max_position_embeddings=N_TOKENS,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,  # as in SDXL's own files: the pooled output is then read at the highest token id
    )
    first = CLIPTextConfig(
        hidden_size=WIDTH_1,
        intermediate_size=4 * WIDTH_1,
        num_hidden_layers=12,
        num_attention_heads=2,
        hidden_act="quick_gelu",
        projection_dim=WIDTH_1,
        **common,
    )
    second = CLIPTextConfig(
        hidden_size=WIDTH_2,
        intermediate_size=4 * WIDTH_2,
        num_hidden_layers=4,
        num_attention_heads=2,
        hidden_act="gelu",
        projection_dim=WIDTH_2,
        **common,
    )
    return CLIPTextModel(first), CLIPTextModelWithProjection(second)


def token_table(text_encoder: torch.nn.Module) -> torch.nn.Parameter:
    """The token embeddings, wherever this version of transformers keeps them."""
    return text_encoder.get_input_embeddings().weight


def untrained_tokens(width: int, seed: int = 7) -> torch.Tensor:
    """Embeddings of all tokens before training: +0.1 or -0.1, which compresses well and is the right size."""
    generator = torch.Generator().manual_seed(seed + width)
    signs = torch.randint(0, 2, (VOCABULARY_SIZE, width), generator=generator)
    return (signs.float() * 2 - 1) * 0.1


class TinyXl(torch.nn.Module):
    """Both text encoders and the U-Net, wired as in SDXL."""

    def __init__(self, vocabulary_size: int):
        super().__init__()
        self.text_encoder, self.text_encoder_2 = text_encoders(vocabulary_size)
        self.unet = unet()

    def encode(self, tokens_1: torch.Tensor, tokens_2: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Penultimate hidden states of both, side by side, and the pooled output of the second."""
        first = self.text_encoder(input_ids=tokens_1, output_hidden_states=True)
        second = self.text_encoder_2(input_ids=tokens_2, output_hidden_states=True)
        context = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        return context, second.text_embeds

    def forward(self, noisy, timesteps, tokens_1, tokens_2, time_ids, keep_text):
        """Predicted noise. `keep_text` is 0 where the text conditioning is zeroed, else 1. Shape [B]."""
        context, pooled = self.encode(tokens_1, tokens_2)
        conditioning = {"text_embeds": pooled * keep_text[:, None], "time_ids": time_ids}
        return self.unet(
            noisy,
            timesteps,
            encoder_hidden_states=context * keep_text[:, None, None],
            added_cond_kwargs=conditioning,
            return_dict=False,
        )[0]


def scheduler() -> EulerDiscreteScheduler:
    euler = EulerDiscreteScheduler(
        num_train_timesteps=N_TIMESTEPS,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="leading",
        steps_offset=1,
    )
    # For whoever makes a DDIM scheduler from this configuration, as SDXL's own file has them.
    euler.register_to_config(clip_sample=False, set_alpha_to_one=False)
    return euler


def alphas_cumprod() -> torch.Tensor:
    return scheduler().alphas_cumprod


def tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(TOKENIZER)


def tokenize(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens for both encoders: the first pads with the end of the text, the second with 0. Shape [N, 77]."""
    found = tokenizer()(texts, truncation=True, max_length=N_TOKENS)["input_ids"]
    first = np.full((len(found), N_TOKENS), END_OF_TEXT, np.int64)
    second = np.zeros((len(found), N_TOKENS), np.int64)
    for i, tokens in enumerate(found):
        first[i, : len(tokens)] = tokens
        second[i, : len(tokens)] = tokens
    return first, second


def load_pictures(work: Path) -> np.ndarray:
    """What render.mjs wrote, mapped: [N, 128, 128, 3], 8 bits each."""
    return np.memmap(work / "pictures.bin", np.uint8, "r").reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3)


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """[B, 3, H, W] from -1 to 1."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
