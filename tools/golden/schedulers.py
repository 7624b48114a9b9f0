"""Golden data of the noise schedulers: timesteps, scales and a trajectory of each sampler."""

import json

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)

# scheduler_config.json of stabilityai/stable-diffusion-xl-base-1.0
SDXL = dict(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    num_train_timesteps=1000,
    steps_offset=1,
    timestep_spacing="leading",
)
DDIM = dict(set_alpha_to_one=False, clip_sample=False)
SAMPLERS = {
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "ddim": (DDIMScheduler, DDIM),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}),
}
N_LATENTS = 20


def answer(latents, timestep):
    """Stands in for the U-Net: smooth, bounded, and easy to write in any language."""
    return torch.sin(1.3 * latents + timestep / 200.0)


def trajectory(name, n_steps, **changes):
    kind, extra = SAMPLERS[name]
    scheduler = kind(**{**SDXL, **extra, **changes})
    scheduler.set_timesteps(n_steps)
    noise = torch.randn(N_LATENTS, generator=torch.Generator().manual_seed(1))
    ancestral = torch.Generator().manual_seed(2)
    latents = noise * scheduler.init_noise_sigma
    steps = []
    for timestep in scheduler.timesteps:
        output = answer(scheduler.scale_model_input(latents, timestep), timestep.float())
        takes_noise = {"generator": ancestral} if name == "euler_a" else {}
        latents = scheduler.step(output, timestep, latents, **takes_noise).prev_sample
        steps.append(latents.tolist())
    return dict(
        sampler=name,
        n_steps=n_steps,
        changes=changes,
        timesteps=scheduler.timesteps.tolist(),
        initial_noise_scale=float(scheduler.init_noise_sigma),
        first=steps[0],
        middle=steps[len(steps) // 2],
        last=steps[-1],
    )


def write(folder):
    cases = []
    for name in SAMPLERS:
        cases.append(trajectory(name, 25))
        cases.append(trajectory(name, 8))
        cases.append(trajectory(name, 1))
        cases.append(trajectory(name, 10, timestep_spacing="trailing"))
        cases.append(trajectory(name, 10, timestep_spacing="linspace"))
        cases.append(trajectory(name, 10, prediction_type="v_prediction"))
        if name != "ddim":  # its α of the last timestep is exactly 0, others use 2⁻²⁴
            cases.append(
                trajectory(
                    name, 10, prediction_type="v_prediction",
                    rescale_betas_zero_snr=True, timestep_spacing="trailing",
                )
            )
    cases.append(trajectory("ddim", 10, set_alpha_to_one=True))
    alphas = EulerDiscreteScheduler(**SDXL).alphas_cumprod
    schedule = {str(t): alphas[t].item() for t in (0, 1, 250, 500, 750, 999)}
    (folder / "schedulers.json").write_text(
        json.dumps(dict(alphas_cumprod=schedule, trajectories=cases), separators=(",", ":")) + "\n"
    )
