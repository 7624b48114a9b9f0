"""Writes predictions.safetensors: latents of tiny-xl, its answers taken for velocities, after each sampler.

    python tools/golden/predictions.py

CASE/SAMPLER, where a case is v-prediction, v-prediction with zero terminal SNR, or rectified flow (shift 2.5). diffusers
has no ancestral sampler for rectified flow: that one is ComfyUI's `sample_euler_ancestral_RF` with η = 1.
"""

from pathlib import Path

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from safetensors.torch import save_file

import pictures

SIDE = 64
N_STEPS = 6
GUIDANCE = 5.0
SHIFT = 2.5
SAMPLERS = {
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "ddim": (DDIMScheduler, dict(clip_sample=False, set_alpha_to_one=False)),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}),
}
CASES = {
    "v": dict(prediction_type="v_prediction"),
    "v-zero-snr": dict(prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"),
}


class Guided:
    """The U-Net with guidance; zeros stand for the absent negative prompt."""

    @torch.no_grad()
    def __init__(self, pipeline):
        self.unet = pipeline.unet
        context, _, pooled, _ = pipeline.encode_prompt(pictures.PROMPT, do_classifier_free_guidance=False)
        sizes = torch.tensor([[SIDE, SIDE, 0, 0, SIDE, SIDE]]).float()
        self.told = [
            dict(encoder_hidden_states=c, added_cond_kwargs=dict(text_embeds=p, time_ids=sizes))
            for c, p in ((torch.zeros_like(context), torch.zeros_like(pooled)), (context, pooled))
        ]

    @torch.no_grad()
    def __call__(self, latents, timestep):
        negative, positive = (self.unet(latents, timestep, return_dict=False, **told)[0] for told in self.told)
        return negative + GUIDANCE * (positive - negative)


def noise(generator):
    return torch.randn(1, 4, SIDE // 8, SIDE // 8, generator=generator)


def by_scheduler(ask, scheduler):
    """Along a straight line: unit noise at first, and nothing scales what the U-Net sees."""
    scheduler.set_timesteps(N_STEPS)
    latents = noise(torch.Generator("cpu").manual_seed(pictures.SEED))
    for timestep in scheduler.timesteps:
        latents = scheduler.step(ask(latents, timestep), timestep, latents).prev_sample
    return latents


def ancestral(ask):
    scheduler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
    scheduler.set_timesteps(N_STEPS)
    sigmas = scheduler.sigmas.double()
    generator = torch.Generator("cpu").manual_seed(pictures.SEED)
    latents = noise(generator).double()
    for sigma, after in zip(sigmas[:-1], sigmas[1:]):
        denoised = latents - sigma * ask(latents.float(), sigma.float() * 1000).double()
        fresh = noise(generator).double()
        if after == 0:
            return denoised.float()
        down = after * (1 + (after / sigma - 1))
        renoise = (after**2 - down**2 * (1 - after) ** 2 / (1 - down) ** 2) ** 0.5
        latents = down / sigma * latents + (1 - down / sigma) * denoised
        latents = (1 - after) / (1 - down) * latents + fresh * renoise


def write(base, folder):
    pipeline = pictures.load(base)
    config = pipeline.scheduler.config
    out = {}
    for case, changes in CASES.items():
        for name, (kind, extra) in SAMPLERS.items():
            scheduler = kind.from_config(config, **extra, **changes)
            sizes = dict(num_inference_steps=N_STEPS, width=SIDE, height=SIDE, guidance_scale=GUIDANCE)
            out[f"{case}/{name}"] = pictures.generate(pipeline, scheduler, **sizes)
    ask = Guided(pipeline)
    euler = FlowMatchEulerDiscreteScheduler(shift=SHIFT)
    flow = dict(use_flow_sigmas=True, flow_shift=SHIFT, prediction_type="flow_prediction")
    out["flow/euler"] = by_scheduler(ask, euler)
    out["flow/ddim"] = out["flow/euler"].clone()
    out["flow/euler_a"] = ancestral(ask)
    out["flow/dpmpp_2m"] = by_scheduler(ask, DPMSolverMultistepScheduler(**flow))
    for name, latents in out.items():
        print(name, f"{latents.abs().max():.2f}")
    save_file({name: tensor.contiguous() for name, tensor in out.items()}, folder / "predictions.safetensors")


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    torch.set_num_threads(1)
    write(root / "assets/tiny-xl", root / "crates/diffusion/tests/golden")
