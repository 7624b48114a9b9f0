"""Two training steps of the real sd-scripts on tiny-xl, for the tests of `trainer`.

Usage, with a folder that deploy/worker/setup.sh has filled:

    FOLDER/venv/bin/python tools/golden/kohya.py FOLDER

Runs `sdxl_train_network.py` as it is, on the processor in f32, and writes what passes through it into
crates/trainer/tests/golden/kohya, in the layout that crates/trainer/src/replay.rs describes. SDXL's sizes are built into
sd-scripts, so those of tiny-xl are set before it builds its U-Net; arithmetic, loss, clipping and optimizer are its own.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "assets/tiny-xl"
PICTURES = ROOT / "assets/demo-datasets/zora"
OUT = ROOT / "crates/trainer/tests/golden/kohya"
RANK, ALPHA = 2, 1
STEPS = 2
LEARNING_RATE = 1e-3
MIN_SNR_GAMMA = 5
HEAD_DIM = 32
GROUPS = 4
# sd-scripts' numbers of transformer blocks, and tiny-xl's in their place.
DEPTHS = {2: 1, 10: 2}


def set_sizes(unet):
    """Gives sd-scripts' U-Net the sizes of tiny-xl."""
    import torch

    unet.MODEL_CHANNELS = 32
    unet.TIME_EMBED_DIM = 128
    unet.CONTEXT_DIM = 96
    unet.ADM_IN_CHANNELS = 64 + 6 * 256
    genuine = unet.Transformer2DModel

    class Transformer(genuine):
        def __init__(self, num_attention_heads, attention_head_dim, num_transformer_layers, **rest):
            width = num_attention_heads * attention_head_dim
            rest["cross_attention_dim"] = unet.CONTEXT_DIM
            depth = DEPTHS[num_transformer_layers]
            super().__init__(width // HEAD_DIM, HEAD_DIM, num_transformer_layers=depth, **rest)

    # The LoRA network looks for modules by the name of their class.
    Transformer.__name__ = genuine.__name__
    unet.Transformer2DModel = Transformer

    built = unet.SdxlUNet2DConditionModel.__init__

    def build(self, *args, **options):
        built(self, *args, **options)
        for module in self.modules():
            if isinstance(module, torch.nn.GroupNorm):
                module.num_groups = GROUPS

    unet.SdxlUNet2DConditionModel.__init__ = build


class Dump:
    """Collects what one step reads and makes, and writes it when the optimizer is through."""

    def __init__(self):
        self.tensors = {}
        self.network = None
        self.steps = 0

    def parameters(self):
        return self.network.named_parameters()

    def keep(self, **tensors):
        for name, tensor in tensors.items():
            self.tensors[name.replace("__", ".")] = tensor.detach().clone().float().contiguous()

    def keep_all(self, prefix, pairs):
        for name, tensor in pairs:
            self.tensors[prefix + name] = tensor.detach().clone().float().contiguous()

    def write(self, name):
        from safetensors.torch import save_file

        save_file(self.tensors, OUT / name)
        self.tensors = {}


def listen(dump, trainer, train_util, accelerator_class):
    """Hooks into the training script's own calls; none of them computes anything else."""
    genuine_noise = train_util.get_noise_noisy_latents_and_timesteps

    def noise(args, scheduler, latents):
        drawn, noisy, timesteps = genuine_noise(args, scheduler, latents)
        dump.keep(latents=latents, noise=drawn, timesteps=timesteps)
        return drawn, noisy, timesteps

    train_util.get_noise_noisy_latents_and_timesteps = noise

    genuine_unet = trainer.call_unet

    def call_unet(args, accelerator, unet, noisy, timesteps, conditions, batch, dtype, **rest):
        def watched(x, t, context, y):
            out = unet(x, t, context, y)
            dump.keep(unet__x=x, unet__t=t, unet__context=context, unet__y=y, unet__out=out)
            return out

        return genuine_unet(args, accelerator, watched, noisy, timesteps, conditions, batch, dtype, **rest)

    trainer.call_unet = call_unet

    genuine_batch = trainer.process_batch

    def process_batch(batch, text_encoders, unet, network, *args, **options):
        if dump.network is None:
            dump.network = network
            dump.keep_all("", network.state_dict().items())
            dump.write("init.safetensors")
        loss = genuine_batch(batch, text_encoders, unet, network, *args, **options)
        dump.keep(loss=loss.reshape(1))
        return loss

    trainer.process_batch = process_batch

    genuine_clip = accelerator_class.clip_grad_norm_

    def clip(self, parameters, max_norm, *args, **options):
        dump.keep_all("grad.", ((name, p.grad) for name, p in dump.parameters()))
        norm = genuine_clip(self, parameters, max_norm, *args, **options)
        dump.keep(grad_norm=norm.reshape(1))
        return norm

    accelerator_class.clip_grad_norm_ = clip

    def after_step(optimizer, args, options):
        dump.keep_all("w.", dump.parameters())
        dump.write(f"step_{dump.steps:03d}.safetensors")
        dump.steps += 1

    return after_step


def main(folder: Path) -> None:
    scripts = folder / "sd-scripts"
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.insert(0, str(scripts))
    os.chdir(scripts)
    OUT.mkdir(parents=True, exist_ok=True)

    import sdxl_train_network
    from accelerate import Accelerator
    from library import sdxl_original_unet, train_util
    from torch.optim.optimizer import register_optimizer_step_post_hook

    set_sizes(sdxl_original_unet)
    with tempfile.TemporaryDirectory() as scratch:
        # sd-scripts loads a whole diffusers pipeline, whose older library cannot read tiny-xl's tokenizer.
        base = Path(scratch) / "base"
        shutil.copytree(BASE, base, ignore=shutil.ignore_patterns("tokenizer*"))
        for name in ("tokenizer", "tokenizer_2"):
            shutil.copytree(folder / "tokenizers/openai_clip-vit-large-patch14", base / name)
        dataset = Path(scratch) / "dataset.toml"
        dataset.write_text(
            "[general]\nresolution = [128, 128]\nbatch_size = 2\nenable_bucket = true\nmin_bucket_reso = 64\n"
            f'[[datasets]]\n[[datasets.subsets]]\nimage_dir = "{PICTURES}"\ncaption_extension = ".txt"\n'
        )
        parser = sdxl_train_network.setup_parser()
        args = parser.parse_args(
            [
                f"--pretrained_model_name_or_path={base}",
                f"--tokenizer_cache_dir={folder / 'tokenizers'}",
                f"--dataset_config={dataset}",
                f"--output_dir={scratch}/out",
                "--output_name=tiny",
                "--network_module=networks.lora",
                f"--network_dim={RANK}",
                f"--network_alpha={ALPHA}",
                "--network_train_unet_only",
                "--optimizer_type=AdamW",
                f"--learning_rate={LEARNING_RATE}",
                "--lr_scheduler=constant",
                f"--min_snr_gamma={MIN_SNR_GAMMA}",
                f"--max_train_steps={STEPS}",
                "--mixed_precision=no",
                "--no_half_vae",
                "--sdpa",
                "--seed=7",
                "--max_data_loader_n_workers=0",
            ]
        )
        trainer = sdxl_train_network.SdxlNetworkTrainer()
        dump = Dump()
        register_optimizer_step_post_hook(listen(dump, trainer, train_util, Accelerator))
        trainer.train(args)
    if dump.steps != STEPS:
        sys.exit(f"{dump.steps} of {STEPS} steps were written")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve())
