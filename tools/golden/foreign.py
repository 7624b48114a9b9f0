"""Files of every kind of LoRA, written by the packages that people train with, and what diffusers draws with them.

    python tools/golden/foreign.py

Writes `foreign/` (the files as PEFT, diffusers and LyCORIS save them), `foreign.safetensors` (the latents after each
sampler: CASE/SAMPLER) and `foreign.png` (the pictures: a row for a case in alphabetical order, a column for a sampler).
With cases as arguments, only those are made anew. The latents are those of the model in memory that was saved. Where
diffusers reads the file, it has to draw the same with it. Version 0.42 does not read all of its own: it drops attention
layers under its own names beside others, text encoders' with transformers 5, and kohya's DoRA.
"""

import copy
import json
import logging
import shutil
import sys
from pathlib import Path

import peft
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    StableDiffusionXLPipeline,
)
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from lycoris import LycorisNetwork, create_lycoris
from lycoris.kohya import LycorisNetworkKohya, create_network
from peft.utils import get_peft_model_state_dict
from PIL import Image
from safetensors.torch import load_file, save_file

import pictures

SIDE = 64
N_STEPS = 6
ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0"
LINEAR = [
    "down_blocks.1.attentions.0.proj_in",
    f"{ATTENTION}.attn1.to_q",
    f"{ATTENTION}.attn2.to_k",
    f"{ATTENTION}.attn2.to_out.0",
    "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
    "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.2",
]
CONV = [
    "down_blocks.0.resnets.1.conv1",
    "down_blocks.1.resnets.0.conv_shortcut",
    "down_blocks.0.downsamplers.0.conv",
    "up_blocks.1.resnets.2.conv2",
]
NORM = ["up_blocks.1.attentions.0.norm", f"{ATTENTION}.norm2"]
TIME = ["time_embedding.linear_1", "down_blocks.1.resnets.0.time_emb_proj"]
TEXT = ["self_attn.q_proj", "self_attn.out_proj", "mlp.fc1"]
SMALL = LINEAR[:3]


def samplers(config):
    return {
        "euler": EulerDiscreteScheduler.from_config(config),
        "euler_a": EulerAncestralDiscreteScheduler.from_config(config),
        "ddim": DDIMScheduler.from_config(config, clip_sample=False, set_alpha_to_one=False),
        "dpmpp_2m": DPMSolverMultistepScheduler.from_config(config),
    }


def draw(pipeline, scheduler):
    """The latents."""
    arguments = dict(num_inference_steps=N_STEPS, width=SIDE, height=SIDE)
    return pictures.generate(pipeline, scheduler, **arguments)


@torch.no_grad()
def pixels(pipeline, latents):
    decoded = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    return pipeline.image_processor.postprocess(decoded, output_type="pil")[0]


def randomize(parameters, seed, size):
    """Adds noise as if it had been trained: `size` of what is typical of the tensor, or 1 where it is zero."""
    generator = torch.Generator("cpu").manual_seed(seed)
    for parameter in parameters:
        if parameter.dim() == 0:
            continue
        scale = parameter.detach().std() if parameter.numel() > 1 else torch.tensor(0.0)
        scale = float(scale) or 0.25
        parameter.data.add_(torch.randn(parameter.shape, generator=generator) * scale * size)


def encoders(pipeline):
    return [pipeline.text_encoder, pipeline.text_encoder_2]


def with_peft(config, size=1.0):
    """As PEFT saves a model: a folder with its configuration."""

    def make(pipeline, path):
        model = peft.get_peft_model(pipeline.unet, config)
        randomize([p for p in model.parameters() if p.requires_grad], 1, size)
        path.mkdir()
        model.save_pretrained(path)
        (path / "README.md").unlink()
        told = json.loads((path / "adapter_config.json").read_text())
        # It names the folder of the base.
        told["base_model_name_or_path"] = None
        (path / "adapter_config.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
        pipeline.unet = model

    return make


def with_diffusers(config, text_config=None, naming="peft", size=1.0):
    """As diffusers saves it: with PEFT's names, with its own as its training scripts do, or with kohya's."""

    def make(pipeline, path):
        pipeline.unet.add_adapter(config)
        models = [pipeline.unet]
        if text_config is not None:
            for encoder in encoders(pipeline):
                encoder.add_adapter(copy.deepcopy(text_config))
            models += encoders(pipeline)
        for seed, model in enumerate(models):
            randomize([p for p in model.parameters() if p.requires_grad], 10 + seed, size)
        layers = [get_peft_model_state_dict(model) for model in models]
        if naming == "kohya":
            tensors = convert_state_dict_to_kohya({f"unet.{name}": tensor for name, tensor in layers[0].items()})
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
            return
        if naming == "diffusers":
            layers = [convert_state_dict_to_diffusers(layer) for layer in layers]
        names = ["unet_lora_layers", "text_encoder_lora_layers", "text_encoder_2_lora_layers"]
        configs = ["unet_lora_adapter_metadata", "text_encoder_lora_adapter_metadata", "text_encoder_2_lora_adapter_metadata"]
        told = {name: dict(model.peft_config["default"].to_dict()) for name, model in zip(configs, models)}
        folder = path.with_suffix("")
        StableDiffusionXLPipeline.save_lora_weights(folder, **dict(zip(names, layers)), **told)
        (folder / "pytorch_lora_weights.safetensors").rename(path)
        folder.rmdir()

    return make


def with_lycoris(names, size=1.0, **options):
    """As `lycoris` saves it by itself, for the U-Net."""

    def make(pipeline, path):
        settings = dict(LycorisNetwork.__dict__)
        preset = dict(target_module=[], target_name=names, use_fnmatch=True, enable_conv=True)
        LycorisNetwork.apply_preset(preset)
        network = create_lycoris(pipeline.unet, 1.0, warn_on_unmatched=False, preset=write_preset(path, preset), **options)
        assert len(network.loras) == len(names), [lora.lora_name for lora in network.loras]
        randomize([p for p in network.parameters() if p.requires_grad], 2, size)
        network.apply_to()
        randomize([p for p in network.parameters() if p.requires_grad], 2, size)
        network.eval()
        network.save_weights(str(path), None, {})
        LycorisNetwork.MODULE_ALGO_MAP = settings["MODULE_ALGO_MAP"]
        return network

    return make


def write_preset(path, preset):
    """LyCORIS reads it from a file."""
    import toml

    file = path.parent / "preset.toml"
    file.write_text(toml.dumps(preset))
    return str(file)


def with_kohya(names, text_names, size=1.0, **options):
    """As sd-scripts saves it with `--network_module lycoris.kohya`: U-Net and both text encoders."""

    def make(pipeline, path):
        preset = dict(
            unet_target_module=[],
            unet_target_name=names,
            text_encoder_target_module=[],
            text_encoder_target_name=text_names,
            use_fnmatch=True,
            enable_conv=True,
        )
        dim, alpha = options.pop("linear_dim", 2), options.pop("linear_alpha", 1)
        network = create_network(
            1.0, dim, alpha, None, encoders(pipeline), pipeline.unet, preset=write_preset(path, preset), **options
        )
        network.apply_to(encoders(pipeline), pipeline.unet, True, True)
        assert len(network.loras) == len(names) + 2 * len(text_names), [lora.lora_name for lora in network.loras]
        randomize([p for p in network.parameters() if p.requires_grad], 3, size)
        network.eval()
        network.save_weights(str(path), None, {})
        return network

    return make


def lora_config(**options):
    return peft.LoraConfig(r=2, lora_alpha=options.pop("lora_alpha", 3), target_modules=options.pop("target_modules", LINEAR), **options)


RANKS = dict(linear_dim=2, linear_alpha=1.5, conv_dim=2, conv_alpha=1.5)
FIRST_LAYERS = [f"encoder.layers.1.{name}" for name in TEXT]
KOHYA_TEXT = [f"*encoder.layers.1.{name}" for name in TEXT]

# A case, how it is written, and whether diffusers reads it.
CASES = {
    "peft_lora": (with_peft(lora_config()), False),
    "peft_conv": (with_peft(lora_config(target_modules=LINEAR[:2] + CONV)), False),
    "peft_stabilized": (with_peft(lora_config(use_rslora=True)), False),
    "peft_patterns": (
        with_peft(lora_config(rank_pattern={"to_q": 3}, alpha_pattern={"to_k": 5, "proj_in": 0.5})),
        False,
    ),
    "peft_dora": (with_peft(lora_config(use_dora=True, target_modules=LINEAR + CONV[:2]), 0.7), False),
    "peft_loha": (with_peft(peft.LoHaConfig(r=2, alpha=3, target_modules=SMALL + CONV[:2])), False),
    "peft_lokr": (with_peft(peft.LoKrConfig(r=2, alpha=3, decompose_factor=4, target_modules=SMALL + CONV[:2])), False),
    "diffusers_lora": (with_diffusers(lora_config()), True),
    "diffusers_text": (with_diffusers(lora_config(), lora_config(target_modules=FIRST_LAYERS)), False),
    "diffusers_names": (
        with_diffusers(lora_config(), lora_config(target_modules=FIRST_LAYERS), naming="diffusers"),
        False,
    ),
    "diffusers_conv": (with_diffusers(lora_config(target_modules=LINEAR[:2] + CONV)), True),
    "diffusers_stabilized": (with_diffusers(lora_config(use_rslora=True, target_modules=LINEAR)), True),
    "diffusers_dora": (with_diffusers(lora_config(use_dora=True), size=0.7), True),
    "diffusers_kohya": (with_diffusers(lora_config(lora_alpha=2), naming="kohya"), True),
    "lycoris_lora": (with_lycoris(LINEAR + TIME, algo="lora", **RANKS), False),
    "lycoris_locon": (with_lycoris(LINEAR[:2] + CONV, algo="locon", **RANKS), False),
    "lycoris_tucker": (with_lycoris(CONV, algo="locon", use_tucker=True, **RANKS), False),
    "lycoris_dora": (with_lycoris(SMALL + CONV[:2], 0.5, algo="locon", dora_wd=True, **RANKS), False),
    "lycoris_dora_input": (
        with_lycoris(SMALL + CONV[:2], 0.5, algo="locon", dora_wd=True, wd_on_output=False, **RANKS),
        False,
    ),
    "lycoris_loha": (with_lycoris(SMALL + CONV[:2], algo="loha", **RANKS), False),
    "lycoris_loha_tucker": (with_lycoris(CONV[:2], algo="loha", use_tucker=True, **RANKS), False),
    "lycoris_lokr": (with_lycoris(SMALL + CONV[:2], algo="lokr", factor=4, **RANKS), False),
    "lycoris_lokr_whole": (with_lycoris(SMALL, algo="lokr", factor=8, full_matrix=True, **RANKS), False),
    "lycoris_lokr_dora": (with_lycoris(SMALL, 0.5, algo="lokr", factor=8, dora_wd=True, **RANKS), False),
    "lycoris_oft": (with_lycoris(SMALL + CONV[:2], 0.3, algo="diag-oft", linear_dim=8, conv_dim=8), False),
    "lycoris_oft_rescaled": (
        with_lycoris(SMALL, 0.3, algo="diag-oft", linear_dim=8, rescaled=True, constraint=1e-2),
        False,
    ),
    "lycoris_boft": (with_lycoris(SMALL + CONV[:1], 0.3, algo="boft", linear_dim=8, conv_dim=8), False),
    "lycoris_glora": (with_lycoris(SMALL, 0.7, algo="glora", **RANKS), False),
    "lycoris_ia3": (with_lycoris(LINEAR, 2.0, algo="ia3"), False),
    "lycoris_full": (with_lycoris([LINEAR[0], CONV[0]], 0.3, algo="full"), False),
    "lycoris_norms": (with_lycoris(SMALL + NORM, 0.6, algo="lora", train_norm=True, **RANKS), False),
    "kohya_locon": (with_kohya(LINEAR[:3] + CONV[:2], KOHYA_TEXT, algo="locon", conv_dim=2, conv_alpha=1), True),
    "kohya_dora": (with_kohya(LINEAR[:3], [], 1.0, algo="locon", dora_wd=True), False),
    "kohya_loha": (with_kohya(SMALL, KOHYA_TEXT, algo="loha"), False),
    "kohya_lokr": (with_kohya(SMALL, KOHYA_TEXT, algo="lokr", factor=4), False),
}


def write(base, folder, cases=tuple(CASES)):
    logging.getLogger("LyCORIS").setLevel(logging.ERROR)
    kinds, latents = folder / "foreign", folder / "foreign.safetensors"
    kinds.mkdir(exist_ok=True)
    plain = pictures.load(base)
    ways = samplers(plain.scheduler.config)
    of_base = {name: draw(plain, scheduler) for name, scheduler in ways.items()}
    drawn = load_file(latents) if latents.exists() else {}
    drawn = {name: tensor for name, tensor in drawn.items() if name.split("/")[0] in CASES}
    for case in cases:
        make, is_read = CASES[case]
        torch.manual_seed(0)
        pipeline = pictures.load(base)
        path = kinds / (case if case.startswith("peft_") else f"{case}.safetensors")
        if path.is_dir():
            shutil.rmtree(path)
        keep = make(pipeline, path)
        for name, scheduler in ways.items():
            found = draw(pipeline, scheduler)
            change = (found - of_base[name]).abs().max() / of_base[name].abs().max()
            assert 0.02 < change < 3, (case, name, change)
            drawn[f"{case}/{name}"] = found
        del keep
        files = [file for file in [path, *path.rglob("*")] if file.is_file()]
        print(f"{case}: {sum(file.stat().st_size for file in files)} bytes, {change:.2f}", flush=True)
        if is_read:
            check_reading(base, case, path, drawn)
    (kinds / "preset.toml").unlink(missing_ok=True)
    for file in kinds.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    save_file({name: drawn[name].contiguous() for name in sorted(drawn)}, latents)
    sheet = Image.new("RGB", (SIDE * len(ways), SIDE * len(CASES)))
    for y, case in enumerate(sorted(CASES)):
        for x, name in enumerate(ways):
            if f"{case}/{name}" in drawn:
                sheet.paste(pixels(plain, drawn[f"{case}/{name}"]), (x * SIDE, y * SIDE))
    sheet.save(folder / "foreign.png", optimize=True)


def check_reading(base, case, path, drawn):
    """What diffusers draws with the file is what the model in memory draws."""
    pipeline = pictures.load(base)
    # DoRA fails on meta tensors.
    pipeline.load_lora_weights(path, low_cpu_mem_usage=False)
    found, expected = draw(pipeline, samplers(pipeline.scheduler.config)["euler"]), drawn[f"{case}/euler"]
    error = (found - expected).abs().max() / expected.abs().max()
    print(f"  read by diffusers: {error:.1e}", flush=True)
    assert error < 1e-4, case


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    torch.set_num_threads(1)
    write(root / "assets/tiny-xl", root / "crates/diffusion/tests/golden", sys.argv[1:] or tuple(CASES))
