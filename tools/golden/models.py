"""Golden data of each part of tiny-xl: text encoders, VAE, U-Net, and gradients of a LoRA."""

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

PROMPT = "lorelei ink comic portrait of a person with long hair, smiling, blue background"
# kohya's default scope in the U-Net
TARGETS = ["proj_in", "proj_out", "to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
RANK = 2
ALPHA = 1.0


def randn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator("cpu").manual_seed(seed))


@torch.no_grad()
def texts(base):
    pipeline = StableDiffusionXLPipeline.from_pretrained(base, dtype=torch.float32)
    out = {}
    for name, text in (("prompt", PROMPT), ("empty", "")):
        context, _, pooled, _ = pipeline.encode_prompt(text, do_classifier_free_guidance=False)
        # The padding says the same 60 times over: keep the first positions and the last.
        out[f"text.{name}.context"] = torch.cat([context[:, :20], context[:, -1:]], 1)
        out[f"text.{name}.pooled"] = pooled
    return out


@torch.no_grad()
def vae(base):
    vae = AutoencoderKL.from_pretrained(base / "vae", dtype=torch.float32)
    pictures = (randn(11, 2, 3, 32, 48) * 0.5).clamp(-1, 1)
    posterior = vae.encode(pictures).latent_dist
    noise = randn(12, 2, 4, 4, 6)
    latents = (posterior.mean + posterior.std * noise) * vae.config.scaling_factor
    return {
        "vae.mean": posterior.mean * vae.config.scaling_factor,
        "vae.sample": latents,
        "vae.decoded": vae.decode(randn(13, 1, 4, 4, 6) / vae.config.scaling_factor).sample,
    }


def unet_inputs():
    return dict(
        sample=randn(21, 2, 4, 8, 12),
        timestep=torch.tensor([3, 801]),
        encoder_hidden_states=randn(22, 2, 77, 96),
        added_cond_kwargs=dict(
            text_embeds=randn(23, 2, 64),
            time_ids=torch.tensor([[96, 64, 0, 4, 64, 96], [200, 100, 8, 0, 64, 96]]).float(),
        ),
        return_dict=False,
    )


def unet(base):
    """The prediction, and the gradient of its mean square error against noise in a LoRA on every module.

    Modules are counted in the alphabetical order of diffusers' names: `lora_A` of module i is
    randn(100 + 2 i, rank, in) / 8 and `lora_B` is randn(101 + 2 i, out, rank) / 8.
    """
    unet = UNet2DConditionModel.from_pretrained(base / "unet", dtype=torch.float32)
    with torch.no_grad():
        out = {"unet.prediction": unet(**unet_inputs())[0]}
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    parameters = {
        name.replace(".default", ""): parameter
        for name, parameter in unet.named_parameters()
        if parameter.requires_grad
    }
    assert set(parameters) == set(get_peft_model_state_dict(unet))
    modules = sorted(name.removesuffix(".lora_A.weight") for name in parameters if ".lora_A." in name)
    with torch.no_grad():
        for i, module in enumerate(modules):
            for kind, seed in (("A", 100 + 2 * i), ("B", 101 + 2 * i)):
                parameter = parameters[f"{module}.lora_{kind}.weight"]
                parameter.copy_(randn(seed, *parameter.shape) / 8)
    prediction = unet(**unet_inputs())[0]
    loss = torch.nn.functional.mse_loss(prediction, randn(24, 2, 4, 8, 12))
    loss.backward()
    out["lora.prediction"] = prediction.detach()
    out["lora.loss"] = loss.detach()
    out["lora.norms"] = torch.stack(
        [parameters[f"{m}.lora_{k}.weight"].grad.norm() for m in modules for k in "AB"]
    )
    # Every kind of module, at every depth.
    for module in modules[::11]:
        for kind in "AB":
            out[f"lora.{module}.lora_{kind}.weight"] = parameters[f"{module}.lora_{kind}.weight"].grad
    return out


def write(base, folder):
    tensors = {**texts(base), **vae(base), **unet(base)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "models.safetensors")
