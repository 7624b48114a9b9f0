"""Measures Morpheus against PyTorch with peft and diffusers, on the same weights, machine and run.

    make bench [BENCH_ARGS='--write | --only WORDS']

The two sides take turns, so that whatever else the machine does falls on both. Each side uses two threads. With
--write the result goes into docs/benchmarks.md and its plot. The exit status is 1 when a ratio misses its target.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

N_THREADS = 2
os.environ.update({name: str(N_THREADS) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")})

import block  # noqa: E402
import diffusers  # noqa: E402
import peft  # noqa: E402
import plot  # noqa: E402
import torch  # noqa: E402
from cargo import ROOT, build  # noqa: E402
from reference import LOKR_FACTOR, Generation, TrainingStep  # noqa: E402

BASE = ROOT / "assets/tiny-xl"
RANK = 8
N_SAMPLER_STEPS = 25
GUIDANCE = 5.0
PROMPT = "lorelei ink comic portrait of a person with long hair, round glasses, smiling, blue background"
PLOT = ROOT / "docs/images/benchmarks.svg"


@dataclass
class Result:
    """What one thing cost both sides."""

    name: str
    target: float
    unit: str
    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        return self.ours / self.reference

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


@dataclass
class Timing:
    """Something that both sides do, to see how long it takes them."""

    name: str
    target: float
    reference: Callable[[], Callable[[], None]]
    ours: list[str]
    n_repeats: int
    # No more turns than this, where one takes long.
    max_rounds: int | None = None
    reference_ms: list[float] = field(default_factory=list)
    ours_ms: list[float] = field(default_factory=list)

    def measure(self, n_rounds: int) -> Result:
        run_reference = self.reference()
        for _ in range(3):
            run_reference()  # the first ones allocate and compile
        for _ in range(min(n_rounds, self.max_rounds or n_rounds)):
            for _ in range(self.n_repeats):
                started = time.perf_counter()
                run_reference()
                self.reference_ms.append((time.perf_counter() - started) * 1000)
            self.ours_ms.append(self.measure_ours(getattr(run_reference, "n_parameters", None)))
        ours, reference = statistics.median(self.ours_ms), statistics.median(self.reference_ms)
        return Result(self.name, self.target, "ms", ours, reference)

    def measure_ours(self, n_parameters: int | None) -> float:
        """The median that our program found; it leaves its own warm-up out."""
        command = [*self.ours, "--n", str(self.n_repeats)]
        finished = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(finished.stdout.splitlines()[-1])
        if found.get("n_parameters") != n_parameters:
            sys.exit(
                f"{self.name}: Morpheus trains {found.get('n_parameters')} numbers and the reference {n_parameters}, "
                "so the two cannot be compared"
            )
        return found["median_ms"]


@dataclass
class Memory:
    """Something that a program of each side does, to see what memory it takes at most."""

    name: str
    target: float
    reference: list[str]
    ours: list[str]

    def measure(self, _n_rounds: int) -> Result:
        reference = block.peak_mb(self.reference, announces=True)
        return Result(self.name, self.target, "MB", block.peak_mb(self.ours), reference)


def comparisons(one_block: Path) -> list[Timing | Memory]:
    program = build("--workspace", "--example", "bench_step")

    def step(name: str, target: float, *ours: str, batch: int = 1, n_repeats: int = 10, **reference) -> Timing:
        return Timing(
            name=name,
            target=target,
            reference=lambda: TrainingStep(BASE, batch, RANK, **reference),
            ours=[program, "--base", str(BASE), "--rank", str(RANK), "--batch", str(batch), *ours],
            n_repeats=n_repeats,
        )

    def kind(name: str) -> Timing:
        return step(f"{name}, batch 1", 0.6, "--kind", name.lower(), kind=name.lower())

    side, rank = str(block.SIDE), str(block.RANK)
    of_block = [program, "--base", str(one_block), "--rank", rank, "--side", side]
    reference_of_block = [sys.executable, str(Path(__file__).with_name("reference.py")), str(one_block)]
    return [
        step("training step, batch 1", 0.5, n_repeats=20),
        step("training step, batch 8", 1.0, batch=8, n_repeats=20),
        step("with both text encoders, batch 1", 0.6, "--text", text_encoders=True),
        step("with convolutions, batch 1", 0.6, "--conv-rank", str(RANK), convolutions=True),
        *map(kind, ("DoRA", "LoHa", "LoKr")),
        Timing(
            name="one SDXL block, time",
            target=1.0,
            reference=lambda: TrainingStep(one_block, 1, block.RANK, side=block.SIDE),
            ours=of_block,
            n_repeats=2,
            max_rounds=3,
        ),
        Memory(
            name="one SDXL block, peak memory",
            target=0.8,
            reference=[*reference_of_block, rank, side],
            ours=[*of_block, "--n", "1"],
        ),
        Timing(
            name=f"{N_SAMPLER_STEPS} Euler steps with guidance to a picture",
            target=0.5,
            reference=lambda: Generation(BASE, N_SAMPLER_STEPS, GUIDANCE, PROMPT),
            ours=[
                build("--workspace", "--example", "bench_generate"),
                *["--base", str(BASE), "--prompt", PROMPT],
                *["--steps", str(N_SAMPLER_STEPS), "--cfg", str(GUIDANCE)],
            ],
            n_repeats=3,
        ),
    ]


def table(results: list[Result]) -> str:
    lines = ["| | Morpheus | reference | ratio | target | met |", "|---|---|---|---|---|---|"]
    for result in results:
        ours, reference = (f"{cost:.1f} {result.unit}" for cost in (result.ours, result.reference))
        lines.append(
            f"| {result.name} | {ours} | {reference} | {result.ratio:.2f} "
            f"| ≤ {result.target:.1f} | {'yes' if result.met else 'no'} |"
        )
    return "\n".join(lines)


def draw(results: list[Result]) -> str:
    bars = [plot.Bar(result.name, result.ratio, result.target) for result in results]
    return plot.svg("Morpheus' time and memory as a ratio to the reference's: shorter is better", bars)


def page(results: list[Result], n_rounds: int) -> str:
    return f"""# Benchmarks

Written by `make bench BENCH_ARGS='--write'`, which measures Morpheus and the reference in turns, in one run, on the
same weights in f32 with {N_THREADS} threads each, and on `assets/tiny-xl` at 128 px where nothing else is said. The numbers
are medians over {n_rounds} rounds. Morpheus is built with the profile that `make demo` uses.

![Morpheus' time and memory as a ratio to the reference's, with the target of each](images/{PLOT.name})

{table(results)}

- Training step: forward, backward, clipping and AdamW of a rank {RANK} LoRA on kohya's default U-Net scope,
  with latents and text embeddings cached. Reference: diffusers' U-Net with peft's LoRA, PyTorch eager.
- With both text encoders: LoRAs on their attention and feed-forward layers too, and the text is encoded in each step.
  Reference: transformers' text encoders with peft.
- With convolutions: rank {RANK} on the residual blocks and on what halves and doubles the picture too.
- DoRA, LoHa, LoKr (factor {LOKR_FACTOR}): kinds of LoRA on the same layers as the plain one. Reference: peft's.
- One SDXL block: {block.CHANNELS} channels, latents of {block.SIDE} × {block.SIDE}, rank {block.RANK}, batch 1, as the middle of a
  U-Net with random weights: a residual block, two transformer blocks with heads of 64, a residual block. A U-Net cannot
  do without a frozen residual block before and two behind, and both sides have them; the text is as wide as tiny-xl's.
  At most 3 rounds of 2 steps. Memory is the peak of a process that takes a few steps: weights, LoRA, optimizer and
  activations. What PyTorch's libraries take before there is a model does not count, and neither do, on both sides,
  pages of files, which the system can drop at any time.
- Picture: from the prompt to decoded pixels. Reference: `StableDiffusionXLPipeline`.
- Both sides train the same number of parameters, which the command checks.

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
    parser.add_argument("--only", metavar="WORDS", help="measure only the lines with these words, as in: LoHa")
    arguments = parser.parse_args()
    if arguments.only and arguments.write:
        parser.error("--write needs every line: leave --only out")
    torch.set_num_threads(N_THREADS)
    diffusers.utils.logging.set_verbosity_error()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        one_block = Path(folder)
        block.write_base(BASE, one_block)
        wanted = [comparison for comparison in comparisons(one_block) if (arguments.only or "") in comparison.name]
        if not wanted:
            parser.error(f"no line has the words `{arguments.only}`")
        for comparison in wanted:
            print(f"measuring: {comparison.name}", file=sys.stderr)
            results.append(comparison.measure(arguments.rounds))
    print(table(results))
    if arguments.write:
        path = ROOT / "docs/benchmarks.md"
        # What follows of decoding, and what `make load` wrote, stays.
        _, mark, rest = (path.read_text() if path.exists() else "").partition("<!-- decoding:")
        path.write_text(page(results, arguments.rounds).rstrip() + "\n\n" * bool(mark) + mark + (rest or "\n"))
        PLOT.write_text(draw(results))
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
