"""The reference side: LoRA training steps with peft, and text to image with diffusers.

    python tools/bench/reference.py BASE RANK SIDE

takes two training steps of a LoRA, so that `block.peak_mb` can look at its memory.
"""

import gc
import sys
from pathlib import Path

import torch
from block import anonymous_kb
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftConfig, inject_adapter_in_model
from transformers import CLIPTextModel, CLIPTextModelWithProjection

# kohya's default scope in the U-Net: every linear layer of the transformer blocks and around them.
TARGET_MODULES = ["proj_in", "proj_out", "to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
# What kohya's LoRA covers besides where it has a `conv_dim`: the residual blocks, and what halves and doubles pictures.
CONVOLUTIONS = ["conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv"]
# The layers of a CLIP text encoder that kohya's LoRA covers.
OF_TEXT_ENCODER = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
PICTURE_SIZE = 128
BEGIN, END, N_TOKENS = 49406, 49407, 77
# As the native side has it; the number of trained parameters shows whether the two still agree.
LOKR_FACTOR = 8


def network(kind: str, rank: int, target_modules: list[str]) -> PeftConfig:
    """The configuration of a kind of LoRA on these layers; alpha is the rank.

    LyCORIS has the same kinds, with as many parameters, and takes longer for each of them.
    """
    match kind:
        case "lora" | "dora":
            return LoraConfig(r=rank, lora_alpha=rank, target_modules=target_modules, use_dora=kind == "dora")
        case "loha":
            return LoHaConfig(r=rank, alpha=rank, target_modules=target_modules)
        case "lokr":
            return LoKrConfig(r=rank, alpha=rank, target_modules=target_modules, decompose_factor=LOKR_FACTOR)
    raise ValueError(f"no kind of LoRA is called {kind}")


class TrainingStep:
    """Forward, backward, clipping and AdamW on cached latents, all in f32.

    The text embeddings are cached too, unless the text encoders are trained.
    """

    def __init__(
        self,
        base: Path,
        batch_size: int,
        rank: int,
        *,
        kind: str = "lora",
        convolutions: bool = False,
        text_encoders: bool = False,
        side: int = PICTURE_SIZE // 8,
    ):
        torch.manual_seed(0)
        self.unet = UNet2DConditionModel.from_pretrained(base / "unet", dtype=torch.float32)
        adapt(self.unet, network(kind, rank, TARGET_MODULES + CONVOLUTIONS * convolutions))
        models: list[torch.nn.Module] = [self.unet]
        self.text = None
        if text_encoders:
            self.text = TextEncoders(base, batch_size, network(kind, rank, OF_TEXT_ENCODER))
            models += self.text.models
        self.trained = [p for model in models for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-4, weight_decay=0.01)
        config = self.unet.config
        pooled_width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        self.latents = torch.randn(batch_size, 4, side, side)
        self.context = torch.randn(batch_size, N_TOKENS, config.cross_attention_dim)
        self.pooled = torch.randn(batch_size, pooled_width)
        sizes = torch.tensor([[8 * side, 8 * side, 0, 0, 8 * side, 8 * side]])
        self.sizes = sizes.float().expand(batch_size, -1)
        self.alphas = EulerDiscreteScheduler.from_pretrained(base / "scheduler").alphas_cumprod

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.trained)

    def __call__(self) -> None:
        context, pooled = self.text() if self.text else (self.context, self.pooled)
        noise = torch.randn_like(self.latents)
        timesteps = torch.randint(0, len(self.alphas), (len(self.latents),))
        alphas = self.alphas[timesteps][:, None, None, None]
        predicted = self.unet(
            alphas.sqrt() * self.latents + (1 - alphas).sqrt() * noise,
            timesteps,
            encoder_hidden_states=context,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": self.sizes},
            return_dict=False,
        )[0]
        loss = torch.nn.functional.mse_loss(predicted, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


class TextEncoders:
    """Both text encoders with LoRAs, and tokens for them: context and pooled text, as SDXL wants them."""

    def __init__(self, base: Path, batch_size: int, config: PeftConfig):
        first = CLIPTextModel.from_pretrained(base / "text_encoder").float()
        second = CLIPTextModelWithProjection.from_pretrained(base / "text_encoder_2").float()
        self.models = [first, second]
        for model in self.models:
            adapt(model, config)
        words = torch.randint(1000, 2000, (7,)).tolist()
        self.tokens = []
        for padding in (END, 0):
            tokens = [BEGIN, *words, END]
            tokens += [padding] * (N_TOKENS - len(tokens))
            self.tokens.append(torch.tensor([tokens]).expand(batch_size, -1))

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        encoded = [model(tokens, output_hidden_states=True) for model, tokens in zip(self.models, self.tokens)]
        context = torch.cat([part.hidden_states[-2] for part in encoded], -1)
        return context, encoded[1].text_embeds


def adapt(model: torch.nn.Module, config: PeftConfig) -> None:
    """Freezes a model and puts trained modules into it."""
    model.requires_grad_(False).train()
    inject_adapter_in_model(config, model)


class Generation:
    """A prompt to a decoded picture with guidance, by Euler."""

    def __init__(self, base: Path, n_steps: int, guidance: float, prompt: str):
        self.pipeline = load_pipeline(base)
        self.arguments = {
            "prompt": prompt,
            "num_inference_steps": n_steps,
            "guidance_scale": guidance,
            "width": PICTURE_SIZE,
            "height": PICTURE_SIZE,
        }

    def __call__(self) -> None:
        self.pipeline(**self.arguments)


def load_pipeline(base: Path) -> StableDiffusionXLPipeline:
    """The base in f32, without a progress bar and without a watermark."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(base, dtype=torch.float32, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def main(base: str, rank: str, side: str) -> None:
    print("idle", anonymous_kb("self"), flush=True)
    step = TrainingStep(Path(base), 1, int(rank), side=int(side))
    # Weights of its own, as the other side has them, instead of pages of the file.
    for parameter in step.unet.parameters():
        parameter.data = parameter.data.clone()
    gc.collect()
    print("ready", flush=True)
    for _ in range(2):
        step()


if __name__ == "__main__":
    main(*sys.argv[1:])
