"""Measures Morpheus against PyTorch with peft and diffusers, on the same weights, machine and run.

    make bench [BENCH_ARGS='--write']

The two sides take turns, so that whatever else the machine does falls on both. Each side uses two threads. With
--write the result goes into docs/benchmarks.md. The exit status is 1 when a ratio misses its target.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

N_THREADS = 2
os.environ.update({name: str(N_THREADS) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")})

import diffusers  # noqa: E402
import peft  # noqa: E402
import torch  # noqa: E402
from cargo import ROOT, build  # noqa: E402
from reference import Generation, TrainingStep  # noqa: E402

BASE = ROOT / "assets/tiny-xl"
RANK = 8
N_SAMPLER_STEPS = 25
GUIDANCE = 5.0
PROMPT = "lorelei ink comic portrait of a person with long hair, round glasses, smiling, blue background"


@dataclass
class Comparison:
    """One thing both sides do, and what it took them."""

    name: str
    target: float
    reference: Callable[[], Callable[[], None]]
    ours: list[str]
    n_repeats: int
    reference_ms: list[float] = field(default_factory=list)
    ours_ms: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours_ms) / statistics.median(self.reference_ms)

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


def comparisons() -> list[Comparison]:
    program = build("--workspace", "--example", "bench_step")

    def step(batch_size: int, target: float) -> Comparison:
        arguments = ["--base", str(BASE), "--rank", str(RANK), "--batch", str(batch_size)]
        return Comparison(
            name=f"training step, batch {batch_size}",
            target=target,
            reference=lambda: TrainingStep(BASE, batch_size, RANK),
            ours=[program, *arguments],
            n_repeats=20,
        )

    generation = Comparison(
        name=f"{N_SAMPLER_STEPS} Euler steps with guidance to a picture",
        target=0.5,
        reference=lambda: Generation(BASE, N_SAMPLER_STEPS, GUIDANCE, PROMPT),
        ours=[
            build("--workspace", "--example", "bench_generate"),
            *["--base", str(BASE), "--prompt", PROMPT],
            *["--steps", str(N_SAMPLER_STEPS), "--cfg", str(GUIDANCE)],
        ],
        n_repeats=3,
    )
    return [step(1, 0.5), step(8, 1.0), generation]


def measure(comparison: Comparison, n_rounds: int) -> None:
    run_reference = comparison.reference()
    for _ in range(3):
        run_reference()  # the first ones allocate and compile
    for _ in range(n_rounds):
        for _ in range(comparison.n_repeats):
            started = time.perf_counter()
            run_reference()
            comparison.reference_ms.append((time.perf_counter() - started) * 1000)
        comparison.ours_ms.append(measure_ours(comparison))


def measure_ours(comparison: Comparison) -> float:
    """The median that our program found; it leaves its own warm-up out."""
    command = [*comparison.ours, "--n", str(comparison.n_repeats)]
    finished = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(finished.stdout.splitlines()[-1])["median_ms"]


def table(measured: list[Comparison]) -> str:
    lines = ["| | Morpheus | reference | ratio | target | met |", "|---|---|---|---|---|---|"]
    for comparison in measured:
        ours, reference = statistics.median(comparison.ours_ms), statistics.median(comparison.reference_ms)
        lines.append(
            f"| {comparison.name} | {ours:.1f} ms | {reference:.1f} ms | {comparison.ratio:.2f} "
            f"| ≤ {comparison.target:.1f} | {'yes' if comparison.met else 'no'} |"
        )
    return "\n".join(lines)


def page(measured: list[Comparison], n_rounds: int) -> str:
    return f"""# Benchmarks

Written by `make bench BENCH_ARGS='--write'`, which measures Morpheus and the reference in turns, in one run, on
the same weights (`assets/tiny-xl`, 128 px, f32) with {N_THREADS} threads each. The numbers are medians over {n_rounds} rounds.
Morpheus is built with the profile that `make demo` uses.

{table(measured)}

- Training step: forward, backward, clipping and AdamW of a rank {RANK} LoRA on kohya's default U-Net scope,
  with latents and text embeddings cached. Reference: diffusers' U-Net with peft's LoRA, PyTorch eager.
- Picture: from the prompt to decoded pixels. Reference: `StableDiffusionXLPipeline`.

| | |
|---|---|
| date | {datetime.date.today().isoformat()} |
| processor | {processor()}, {os.cpu_count()} cores |
| reference | PyTorch {torch.__version__}, diffusers {diffusers.__version__}, peft {peft.__version__}, Python {platform.python_version()} |
| commit | {git("rev-parse", "--short", "HEAD")} |
"""


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns that each side gets")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    torch.set_num_threads(N_THREADS)
    measured = comparisons()
    for comparison in measured:
        print(f"measuring: {comparison.name}", file=sys.stderr)
        measure(comparison, arguments.rounds)
    print(table(measured))
    if arguments.write:
        path = ROOT / "docs/benchmarks.md"
        # What follows of decoding, and what `make load` wrote, stays.
        _, mark, rest = (path.read_text() if path.exists() else "").partition("<!-- decoding:")
        path.write_text(page(measured, arguments.rounds).rstrip() + "\n\n" * bool(mark) + mark + (rest or "\n"))
    return 0 if all(comparison.met for comparison in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
