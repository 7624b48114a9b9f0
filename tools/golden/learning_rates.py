"""Writes learning_rates.json: the learning rates of every schedule, by the packages that sd-scripts takes them from; REX
by its paper."""

import json
from pathlib import Path

import torch
from pytorch_optimizer import REXScheduler
from transformers import get_scheduler

N_STEPS = 50
PEAK = 1e-2

# What a recipe says, the name in transformers, what it is told there.
SCHEDULES = [
    (dict(lr_schedule="constant"), "constant", {}),
    (dict(lr_schedule="constant", n_warmup_steps=7), "constant_with_warmup", {}),
    (dict(lr_schedule="linear"), "linear", {}),
    (dict(lr_schedule="linear", n_warmup_steps=7), "linear", {}),
    (dict(lr_schedule="cosine"), "cosine", {}),
    (dict(lr_schedule="cosine", n_warmup_steps=7), "cosine", {}),
    (dict(lr_schedule="cosine", n_warmup_steps=7, min_lr_ratio=0.1), "cosine_with_min_lr", dict(min_lr_rate=0.1)),
    (dict(lr_schedule="cosine_with_restarts", n_cycles=1), "cosine_with_restarts", dict(num_cycles=1)),
    (dict(lr_schedule="cosine_with_restarts", n_cycles=3), "cosine_with_restarts", dict(num_cycles=3)),
    (
        dict(lr_schedule="cosine_with_restarts", n_cycles=3, n_warmup_steps=7),
        "cosine_with_restarts",
        dict(num_cycles=3),
    ),
    (dict(lr_schedule="polynomial"), "polynomial", dict(lr_end=0.0, power=1.0)),
    (
        dict(lr_schedule="polynomial", polynomial_power=2.0, n_warmup_steps=7, min_lr_ratio=0.1),
        "polynomial",
        dict(lr_end=1e-3, power=2.0),
    ),
    (dict(lr_schedule="inverse_sqrt", n_warmup_steps=7), "inverse_sqrt", {}),
    (dict(lr_schedule="rex"), "rex", {}),
    (dict(lr_schedule="rex", min_lr_ratio=0.1), "rex", dict(min_lr=0.1 * PEAK)),
]


def rates(overrides, name, told):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
    if name == "rex":
        schedule = REXScheduler(optimizer, N_STEPS, max_lr=PEAK, min_lr=told.get("min_lr", 0.0))
    else:
        schedule = get_scheduler(
            name, optimizer, overrides.get("n_warmup_steps", 0), N_STEPS, scheduler_specific_kwargs=told or None
        )
    found = []
    for _ in range(N_STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    if name == "rex":
        # It starts with the lowest rate, which its formula has at the end.
        found[0] = PEAK
    return dict(overrides=overrides | dict(n_steps=N_STEPS, learning_rate=PEAK), rates=found)


def compact(value):
    short = json.loads(json.dumps(value), parse_float=lambda text: float(f"{float(text):.9g}"))
    return json.dumps(short, separators=(",", ":"))


if __name__ == "__main__":
    lines = ",\n".join(compact(rates(*schedule)) for schedule in SCHEDULES)
    folder = Path(__file__).resolve().parents[2] / "crates/trainer/tests/golden"
    (folder / "learning_rates.json").write_text(f"[\n{lines}\n]\n")
