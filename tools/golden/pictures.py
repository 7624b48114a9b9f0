"""Golden pictures of tiny-xl: latents after each sampler, with guidance, negative prompts and LoRAs."""

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
)
from safetensors.torch import load_file, save_file

PROMPT = "open peeps comic portrait of a person with short hair, glasses, green background"
NEGATIVE = "hat, beard"
SEED = 7
# Some modules of every kind that kohya's LoRAs have: U-Net and both text encoders.
LORA = {
    "lora_unet_input_blocks_4_1_proj_in": (64, 64),
    "lora_unet_input_blocks_8_1_transformer_blocks_1_attn2_to_k": (96, 128),
    "lora_unet_middle_block_1_transformer_blocks_0_ff_net_0_proj": (128, 1024),
    "lora_unet_output_blocks_3_1_transformer_blocks_0_attn1_to_out_0": (64, 64),
    "lora_te1_text_model_encoder_layers_3_self_attn_q_proj": (32, 32),
    "lora_te1_text_model_encoder_layers_10_mlp_fc2": (128, 32),
    "lora_te2_text_model_encoder_layers_1_self_attn_v_proj": (64, 64),
    "lora_te2_text_model_encoder_layers_3_mlp_fc1": (64, 256),
}
RANK = 2
ALPHA = 4.0


def write_lora(path):
    tensors = {}
    for i, (module, (n_in, n_out)) in enumerate(LORA.items()):
        generator = torch.Generator("cpu").manual_seed(1000 + i)
        tensors[f"{module}.lora_down.weight"] = torch.randn(RANK, n_in, generator=generator) / 4
        tensors[f"{module}.lora_up.weight"] = torch.randn(n_out, RANK, generator=generator) / 4
        tensors[f"{module}.alpha"] = torch.tensor(ALPHA)
    save_file({name: tensor.half() for name, tensor in tensors.items()}, path)


def split_lora(path):
    """The U-Net's part for diffusers to load, and the text encoders' as weight changes by module.

    diffusers 0.42 with transformers 5 drops the attention modules of text encoders without an error (it renames them
    to `to_q_lora`, which nothing expects any more), so those are merged by hand.
    """
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    unet = {name: tensor for name, tensor in tensors.items() if name.startswith("lora_unet_")}
    changes = {
        module: ALPHA / RANK * tensors[f"{module}.lora_up.weight"] @ tensors[f"{module}.lora_down.weight"]
        for module in LORA
        if not module.startswith("lora_unet_")
    }
    return unet, changes


@torch.no_grad()
def change_text_encoders(pipeline, changes, weight):
    encoders = {"lora_te1_": pipeline.text_encoder, "lora_te2_": pipeline.text_encoder_2}
    n_changed = 0
    for prefix, encoder in encoders.items():
        for name, parameter in encoder.named_parameters():
            path = name.removeprefix("text_model.").removesuffix(".weight").replace(".", "_")
            change = changes.get(f"{prefix}text_model_{path}")
            if change is not None and name.endswith(".weight"):
                parameter += weight * change
                n_changed += 1
    assert n_changed == len(changes)


def load(base):
    pipeline = StableDiffusionXLPipeline.from_pretrained(base, dtype=torch.float32, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(pipeline, scheduler, output_type="latent", **arguments):
    pipeline.scheduler = scheduler
    arguments = dict(prompt=PROMPT, num_inference_steps=8, guidance_scale=5.0, width=128, height=128) | arguments
    return pipeline(
        generator=torch.Generator("cpu").manual_seed(SEED), output_type=output_type, **arguments
    ).images


def write(base, folder):
    pipeline = load(base)
    config = pipeline.scheduler.config
    euler = EulerDiscreteScheduler.from_config(config)
    # What SDXL's own scheduler_config.json says.
    ddim = DDIMScheduler.from_config(config, clip_sample=False, set_alpha_to_one=False)
    out = {
        "euler": generate(pipeline, euler),
        "euler_a": generate(pipeline, EulerAncestralDiscreteScheduler.from_config(config)),
        "dpmpp_2m": generate(pipeline, DPMSolverMultistepScheduler.from_config(config)),
        "ddim": generate(pipeline, ddim),
        "negative": generate(pipeline, euler, negative_prompt=NEGATIVE, guidance_scale=7.5),
        "empty_negative": generate(pipeline, euler, negative_prompt=""),
        "unguided": generate(pipeline, euler, guidance_scale=1.0),
        "wide": generate(pipeline, ddim, width=192, height=64, negative_prompt=NEGATIVE),
    }
    generate(pipeline, euler, output_type="pil")[0].save(folder / "euler.png")

    lora = folder / "lora.safetensors"
    write_lora(lora)
    unet, changes = split_lora(lora)
    pipeline.load_lora_weights(unet, adapter_name="golden")
    out["lora_unet"] = generate(pipeline, euler)
    change_text_encoders(pipeline, changes, 1.0)
    out["lora"] = generate(pipeline, euler)
    pipeline.set_adapters(["golden"], [0.5])
    change_text_encoders(pipeline, changes, -0.5)
    out["lora_half"] = generate(pipeline, ddim)
    save_file({name: tensor.contiguous() for name, tensor in out.items()}, folder / "pictures.safetensors")
