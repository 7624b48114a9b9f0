"""Checks that diffusers draws the same pictures as Morpheus with a LoRA that Morpheus trained.

    make parity [PARITY_ARGS='--lora FILE' or '--kinds']

Loads the file with load_lora_weights on tiny-xl as a diffusers folder, and compares DDIM and Euler, with the LoRA
and without, from the same starting noise, prompt and negative prompt. Without --lora, the demo trains one first.

With --kinds, the files are those of other programs that diffusers reads as a whole (tools/golden/foreign.py wrote them):
LoRA, LoCon and DoRA, with scales by rank and by its root, of the U-Net and of both text encoders, under diffusers' and
kohya's names. With another MORPHEUS than cargo's: --morpheus.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from cargo import ROOT, build  # noqa: E402
from diffusers import DDIMScheduler, EulerDiscreteScheduler, StableDiffusionXLPipeline  # noqa: E402
from reference import PICTURE_SIZE, load_pipeline  # noqa: E402

BASE = ROOT / "assets/tiny-xl"
PROMPTS = [
    "lorelei ink comic portrait of zora, smiling, blue background",
    "lorelei ink comic portrait of zora, shouting, closed eyes, yellow background",
]
NEGATIVE_PROMPT = "pixel art portrait, glasses"
N_STEPS = 25
GUIDANCE = 5.0
MAX_MEAN_DIFFERENCE = 1.0  # in steps of 1/255
FOREIGN = ROOT / "crates/diffusion/tests/golden/foreign"
# What diffusers does not read as a whole is compared with the packages that wrote it, in crates/diffusion/tests/it/foreign.rs.
KINDS = [
    "diffusers_lora",
    "diffusers_conv",
    "diffusers_stabilized",
    "diffusers_dora",
    "diffusers_kohya",
    "kohya_locon",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lora", type=Path, help="a LoRA for tiny-xl in kohya's keys")
    parser.add_argument("--kinds", action="store_true", help="a LoRA of each kind that diffusers reads")
    parser.add_argument("--morpheus", help="the program [default: the one that cargo builds]")
    arguments = parser.parse_args()
    program = arguments.morpheus or build("--package", "morpheus")
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if arguments.kinds:
            loras = [FOREIGN / f"{kind}.safetensors" for kind in KINDS]
        else:
            loras = [arguments.lora or train_demo_lora(program, scratch)]
        differences, without = compare(program, load_pipeline(BASE), None, scratch)
        changes = []
        for lora in loras:
            # What a LoRA leaves behind in a pipeline would be in the next one's pictures.
            pipeline = load_pipeline(BASE)
            # DoRA fails on meta tensors.
            pipeline.load_lora_weights(lora.parent, weight_name=lora.name, low_cpu_mem_usage=False)
            more_differences, with_lora = compare(program, pipeline, lora, scratch)
            differences += more_differences
            changes += [mean_difference(a, b) for a, b in zip(without, with_lora)]
    worst, change = max(differences), min(changes)
    print(f"worst mean difference {worst:.3f} of 255, allowed {MAX_MEAN_DIFFERENCE:.0f}")
    print(f"each LoRA changes each picture by at least {change:.1f} of 255")
    return 0 if worst <= MAX_MEAN_DIFFERENCE < change else 1


def compare(
    program: str, pipeline: StableDiffusionXLPipeline, lora: Path | None, scratch: Path
) -> tuple[list[float], list[np.ndarray]]:
    """Mean difference of each sampler's and prompt's picture, and our pictures."""
    config = pipeline.scheduler.config
    schedulers = {
        "ddim": DDIMScheduler.from_config(config),
        "euler": EulerDiscreteScheduler.from_config(config),
    }
    differences, pictures = [], []
    for sampler, scheduler in schedulers.items():
        pipeline.scheduler = scheduler
        for seed, prompt in enumerate(PROMPTS):
            noise = torch.randn(
                1, 4, PICTURE_SIZE // 8, PICTURE_SIZE // 8, generator=torch.Generator().manual_seed(seed)
            )
            theirs = reference_picture(pipeline, prompt, noise)
            ours = our_picture([program, "generate", "--sampler", sampler, "--prompt", prompt], noise, lora, scratch)
            difference = mean_difference(ours, theirs)
            differences.append(difference)
            pictures.append(ours)
            with_lora = f"with {lora.name}" if lora else "without a LoRA"
            print(f"{sampler:5} {with_lora}, prompt {seed}: mean difference {difference:.3f} of 255")
    return differences, pictures


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())


def reference_picture(pipeline: StableDiffusionXLPipeline, prompt: str, noise: torch.Tensor) -> np.ndarray:
    picture = pipeline(
        prompt,
        negative_prompt=NEGATIVE_PROMPT,
        num_inference_steps=N_STEPS,
        guidance_scale=GUIDANCE,
        width=PICTURE_SIZE,
        height=PICTURE_SIZE,
        latents=noise,
    ).images[0]
    return np.asarray(picture, np.float32)


def our_picture(command: list[str], noise: torch.Tensor, lora: Path | None, scratch: Path) -> np.ndarray:
    noise_file, picture_file = scratch / "noise.safetensors", scratch / "ours.png"
    save_file({"noise": noise}, noise_file)
    run(
        *[*command, "--base", str(BASE), "--negative", NEGATIVE_PROMPT, *(["--lora", f"{lora}:1"] if lora else [])],
        *["--steps", str(N_STEPS), "--cfg", str(GUIDANCE), "--size", f"{PICTURE_SIZE}x{PICTURE_SIZE}"],
        *["--init-noise", str(noise_file), "--out", str(picture_file)],
    )
    return np.asarray(Image.open(picture_file).convert("RGB"), np.float32)


def train_demo_lora(program: str, scratch: Path) -> Path:
    print("no --lora given: running the demo to train one", file=sys.stderr)
    output = run(program, "demo", "--exit", "--json", "--data", str(scratch / "demo"))
    return Path(json.loads(output.splitlines()[-1])["lora"])


def run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
