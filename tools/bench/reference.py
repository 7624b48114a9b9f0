"""The reference side: a LoRA training step with peft, and text to image with diffusers."""

from pathlib import Path

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig

# kohya's default scope in the U-Net: every linear layer of the transformer blocks and around them.
TARGET_MODULES = ["proj_in", "proj_out", "to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
PICTURE_SIZE = 128


class TrainingStep:
    """Forward, backward, clipping and AdamW on cached latents and text embeddings, all in f32."""

    def __init__(self, base: Path, batch_size: int, rank: int):
        torch.manual_seed(0)
        self.unet = UNet2DConditionModel.from_pretrained(base / "unet", dtype=torch.float32)
        self.unet.requires_grad_(False).train()
        self.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGET_MODULES))
        self.trained = [parameter for parameter in self.unet.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-4, weight_decay=0.01)
        config = self.unet.config
        pooled_width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        side = PICTURE_SIZE // 8
        self.latents = torch.randn(batch_size, 4, side, side)
        self.context = torch.randn(batch_size, 77, config.cross_attention_dim)
        self.conditioning = {
            "text_embeds": torch.randn(batch_size, pooled_width),
            "time_ids": torch.tensor([[PICTURE_SIZE, PICTURE_SIZE, 0, 0, PICTURE_SIZE, PICTURE_SIZE]])
            .float()
            .expand(batch_size, -1),
        }
        self.alphas = EulerDiscreteScheduler.from_pretrained(base / "scheduler").alphas_cumprod

    def __call__(self) -> None:
        noise = torch.randn_like(self.latents)
        timesteps = torch.randint(0, len(self.alphas), (len(self.latents),))
        alphas = self.alphas[timesteps][:, None, None, None]
        predicted = self.unet(
            alphas.sqrt() * self.latents + (1 - alphas).sqrt() * noise,
            timesteps,
            encoder_hidden_states=self.context,
            added_cond_kwargs=self.conditioning,
            return_dict=False,
        )[0]
        loss = torch.nn.functional.mse_loss(predicted, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


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
