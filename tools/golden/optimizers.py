"""Writes optimizers.json: how the packages that people train with move two small matrices.

    python tools/golden/optimizers.py

The problem is the least squares of a LoRA: `mean((X downᵀ upᵀ − Y)²)`, its gradient computed in double precision. All
four are drawn by seed (`problem`), so that only weights are stored: after 1, 10, 50 and 100 steps, `down` before `up`.
Of the large problem, every 37th weight. `overrides` is what a recipe says, `n_warmup` over how many steps the learning
rate rises from zero. `doubts` says for each of these steps by how
much the weights differ where training begins a ten-millionth beside: rounding in another order may do the same.
"""

import json
import math
from pathlib import Path

import bitsandbytes
import bitsandbytes.backends.cpu.ops as bitsandbytes_on_cpu
import dadaptation
import prodigyopt
import prodigyplus
import schedulefree
import torch
from came_pytorch import CAME
from lion_pytorch import Lion
from transformers.optimization import Adafactor

N_STEPS = 100
STORED = (1, 10, 50, 100)
# Samples, inputs, rank, outputs.
SMALL = (12, 10, 4, 8)
# 4160 and 4128 weights: 16 blocks of 256, and a part of one.
LARGE = (16, 520, 8, 516)


def randn(seed, *shape):
    return torch.randn(math.prod(shape), generator=torch.Generator("cpu").manual_seed(seed)).reshape(shape)


def problem(sizes, nudge=0.0):
    n, n_in, rank, n_out = sizes
    x, y = randn(1, n, n_in), randn(2, n, n_out)
    down, up = randn(3, rank, n_in) * 0.3, randn(4, n_out, rank) * 0.3
    down, up = (w * (1 + nudge * randn(seed, *w.shape)) for seed, w in ((5, down), (6, up)))
    return x.double(), y.double(), torch.nn.Parameter(down), torch.nn.Parameter(up)


def gradients(x, y, down, up):
    with torch.no_grad():
        hidden = x @ down.double().T
        error = (hidden @ up.double().T - y) * (2 / y.numel())
        return ((error @ up.double()).T @ x).float(), (error.T @ hidden).float()


ADAM = dict(learning_rate=1e-2, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0)


def adam(**changes):
    return ADAM | changes


def betas(o):
    return o["beta1"], o["beta2"]


def adamw(parameters, o):
    return torch.optim.AdamW(parameters, o["learning_rate"], betas(o), o["epsilon"], o["weight_decay"])


def quantize(values, codes, scales, out, block):
    """The nearest code of each number, as on a GPU. On a CPU bitsandbytes looks codes up in a table that is coarse near
    zero."""
    blocks = torch.nn.functional.pad(values.flatten(), (0, -values.numel() % block)).view(-1, block)
    largest = blocks.abs().amax(dim=1)
    shares = torch.where(largest > 0, blocks.T / largest, 0.0).T.flatten()[: values.numel()]
    nearest = torch.bucketize(shares, (codes[:-1] + codes[1:]) / 2)
    out.copy_(nearest.to(torch.uint8).view_as(out))
    scales.copy_(largest)


bitsandbytes_on_cpu._quant_blockwise_fp32_direct = quantize


def adamw_8bit(parameters, o):
    return bitsandbytes.optim.AdamW8bit(
        parameters, o["learning_rate"], betas(o), o["epsilon"], o["weight_decay"], **o["arguments"]
    )


def lion(parameters, o):
    return Lion(parameters, lr=o["learning_rate"], betas=betas(o), weight_decay=o["weight_decay"])


def adafactor(parameters, o):
    told = dict(relative_step=False, scale_parameter=False, warmup_init=False) | o["arguments"]
    eps = (told.pop("eps1", 1e-30), told.pop("eps2", 1e-3))
    lr = None if told["relative_step"] else o["learning_rate"]
    return Adafactor(parameters, lr=lr, eps=eps, weight_decay=o["weight_decay"], **told)


def prodigy(parameters, o):
    return prodigyopt.Prodigy(
        parameters,
        lr=o["learning_rate"],
        betas=betas(o),
        eps=o["epsilon"],
        weight_decay=o["weight_decay"],
        **o["arguments"],
    )


def prodigy_schedule_free(parameters, o):
    return prodigyplus.ProdigyPlusScheduleFree(
        parameters,
        lr=o["learning_rate"],
        betas=betas(o),
        eps=o["epsilon"],
        weight_decay=o["weight_decay"],
        factored=False,
        split_groups=False,
        **o["arguments"],
    )


def d_adaptation(parameters, o):
    return dadaptation.DAdaptAdam(
        parameters,
        lr=o["learning_rate"],
        betas=betas(o),
        eps=o["epsilon"],
        weight_decay=o["weight_decay"],
        **(dict(decouple=True) | o["arguments"]),
    )


def adamw_schedule_free(parameters, o):
    return schedulefree.AdamWScheduleFree(
        parameters, o["learning_rate"], betas(o), o["epsilon"], o["weight_decay"], **o["arguments"]
    )


def came(parameters, o):
    told = dict(o["arguments"])
    beta3 = told.pop("beta3", 0.9999)
    eps = (told.pop("eps1", 1e-30), told.pop("eps2", 1e-16))
    return CAME(
        parameters, lr=o["learning_rate"], betas=(*betas(o), beta3), eps=eps, weight_decay=o["weight_decay"], **told
    )


KINDS = {kind.__name__: kind for kind in (
    adamw, adamw_8bit, lion, adafactor, prodigy, prodigy_schedule_free, d_adaptation, adamw_schedule_free, came,
)}

# Optimizer, what the recipe says, arguments of its own, and steps of a warm-up where there are some.
CASES = [
    ("adamw", adam(), {}),
    ("adamw", adam(beta1=0.8, beta2=0.99, epsilon=1e-4, weight_decay=0.1), {}),
    ("lion", adam(learning_rate=1e-3, beta2=0.99), {}),
    ("lion", adam(learning_rate=1e-3, beta1=0.95, beta2=0.98, weight_decay=0.5), {}),
    ("adafactor", adam(learning_rate=3e-3), {}),
    ("adafactor", adam(weight_decay=0.1), dict(beta1=0.9, clip_threshold=0.5, decay_rate=-0.5)),
    ("adafactor", adam(), dict(scale_parameter=True, eps2=0.01)),
    ("adafactor", adam(), dict(relative_step=True, scale_parameter=True)),
    ("adafactor", adam(), dict(relative_step=True, scale_parameter=True, warmup_init=True)),
    ("prodigy", adam(learning_rate=1.0), {}),
    ("prodigy", adam(learning_rate=0.3, weight_decay=0.01), dict(d_coef=2.0, use_bias_correction=True)),
    ("prodigy", adam(learning_rate=0.5), dict(safeguard_warmup=True, d0=1e-4, growth_rate=1.2)),
    ("prodigy", adam(learning_rate=1.0, beta2=0.99, weight_decay=0.01), dict(decouple=False, beta3=0.9, d0=1e-5)),
    ("prodigy_schedule_free", adam(learning_rate=0.3, beta2=0.99), {}),
    ("prodigy_schedule_free", adam(learning_rate=0.1, beta2=0.99, weight_decay=0.1), dict(d_coef=2.0, d0=1e-4)),
    ("prodigy_schedule_free", adam(learning_rate=1.0, beta2=0.99), dict(prodigy_steps=20, d0=1e-3)),
    ("d_adaptation", adam(learning_rate=0.1), {}),
    ("d_adaptation", adam(learning_rate=0.5, weight_decay=0.1), dict(use_bias_correction=True, d0=1e-4)),
    ("d_adaptation", adam(learning_rate=0.1, weight_decay=0.1), dict(decouple=False, growth_rate=1.3)),
    ("adamw_schedule_free", adam(), {}),
    ("adamw_schedule_free", adam(beta1=0.95, weight_decay=0.1), dict(r=1.0, weight_lr_power=1.0)),
    ("prodigy", adam(learning_rate=1.0, weight_decay=0.01), dict(safeguard_warmup=True, d0=1e-4), 10),
    ("prodigy_schedule_free", adam(learning_rate=1.0, beta2=0.99), dict(d0=1e-3), 10),
    ("d_adaptation", adam(learning_rate=0.1), dict(d0=1e-4), 10),
    ("adamw_schedule_free", adam(weight_decay=0.1), {}, 10),
    ("came", adam(learning_rate=1e-3), {}),
    ("came", adam(learning_rate=1e-3, weight_decay=0.1), dict(beta3=0.999, clip_threshold=0.5, eps2=1e-8)),
    ("prodigy", adam(learning_rate=0.5, weight_decay=0.01), dict(slice_p=3, d0=1e-4)),
    ("adamw_8bit", adam(learning_rate=1e-3), {}),
    ("adamw_8bit", adam(learning_rate=1e-3, weight_decay=0.1), {}),
    ("adamw_8bit", adam(learning_rate=3e-3, beta1=0.95, beta2=0.99), {}),
]
# Cases from here on have the large problem.
N_SMALL = len(CASES) - 3


def run(kind, overrides, arguments, n_warmup, sizes, stride, nudge=0.0):
    x, y, *parameters = problem(sizes, nudge)
    if kind == "prodigy_schedule_free":
        # Beside parameters in single precision it keeps the beginning and the sum of gradients in 16 bits, and finds another
        # learning rate.
        parameters = [torch.nn.Parameter(parameter.detach().double()) for parameter in parameters]
    optimizer = KINDS[kind](parameters, overrides | dict(arguments=arguments))
    is_averaging = "schedule_free" in kind
    if is_averaging:
        optimizer.train()
    weights = {}

    def numbers():
        return torch.cat([parameter.detach().flatten() for parameter in parameters])[::stride].tolist()

    for step in range(1, N_STEPS + 1):
        if n_warmup > 0:
            for group in optimizer.param_groups:
                group["lr"] = overrides["learning_rate"] * min(1.0, (step - 1) / n_warmup)
        for parameter, gradient in zip(parameters, gradients(x, y, *parameters)):
            parameter.grad = gradient.to(parameter.dtype)
        optimizer.step()
        if step in STORED:
            weights[step] = numbers()
    told = dict(overrides, optimizer=kind)
    if arguments:
        told["optimizer_arguments"] = [f"{name}={value}" for name, value in arguments.items()]
    case = dict(overrides=told, n_warmup=n_warmup, sizes=sizes, stride=stride, weights=weights)
    if is_averaging:
        optimizer.eval()
        case["averaged"] = numbers()
    return case


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for i, (kind, overrides, arguments, *warmup) in enumerate(CASES):
        sizes, stride = (SMALL, 1) if i < N_SMALL else (LARGE, 37)
        told = (kind, overrides, arguments, *(warmup or [0]), sizes, stride)
        case = run(*told)
        beside = run(*told, nudge=1e-7)
        case["doubts"] = {
            step: max(abs(a - b) for a, b in zip(weights, beside["weights"][step]))
            for step, weights in case["weights"].items()
        }
        cases.append(case)
    lines = ",\n".join(compact(case) for case in cases)
    (folder / "optimizers.json").write_text(f"[\n{lines}\n]\n")


def compact(value):
    """JSON with the nine digits that tell single-precision numbers apart."""
    short = json.loads(json.dumps(value), parse_float=lambda text: float(f"{float(text):.9g}"))
    return json.dumps(short, separators=(",", ":"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write(Path(__file__).resolve().parents[2] / "crates/trainer/tests/golden")
