"""Muon for weight matrices, AdamW for everything else, an average of the weights, and the learning rate.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) reached in 62 s what AdamW needed 141 s for
when tiny-xl was made.
"""

import math
from typing import Iterable

import torch


@torch.no_grad()
def orthogonalize(matrices: torch.Tensor, n_iterations: int = 5) -> torch.Tensor:
    """Newton-Schulz iteration towards the nearest orthogonal matrices, [N, rows, columns]."""
    a, b, c = 3.4445, -4.7750, 2.0315  # Jordan et al. 2024
    x = matrices.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    is_tall = x.size(-2) > x.size(-1)
    if is_tall:
        x = x.mT
    for _ in range(n_iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if is_tall else x).float()


class MuonWithAdam:
    """One optimizer of two: matrices by Muon, stacked by shape; the rest by AdamW without weight decay."""

    MOMENTUM = 0.95

    def __init__(self, matrices: Iterable[torch.nn.Parameter], others: Iterable[torch.nn.Parameter], beta_2: float):
        self.by_shape: dict[tuple[int, int], list[torch.nn.Parameter]] = {}
        for matrix in matrices:
            self.by_shape.setdefault((matrix.shape[0], matrix[0].numel()), []).append(matrix)
        self.momentum = {shape: torch.zeros(len(group), *shape) for shape, group in self.by_shape.items()}
        self.adam = torch.optim.AdamW(others, betas=(0.9, beta_2), weight_decay=0, fused=True)

    @torch.no_grad()
    def step(self, lr_muon: float, lr_adam: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = lr_adam
        self.adam.step()
        for shape, group in self.by_shape.items():
            gradients = torch.stack([matrix.grad.reshape(shape) for matrix in group])
            momentum = self.momentum[shape].lerp_(gradients, 1 - self.MOMENTUM)
            updates = orthogonalize(gradients.lerp(momentum, self.MOMENTUM))
            # 0.2·sqrt(longest side) gives an update the size of AdamW's (Liu et al. 2025, arXiv 2502.16982).
            updates *= 0.2 * math.sqrt(max(shape)) * lr_muon
            for matrix, update in zip(group, updates):
                matrix.sub_(update.reshape(matrix.shape))

    def zero_grad(self) -> None:
        self.adam.zero_grad()
        for group in self.by_shape.values():
            for matrix in group:
                matrix.grad = None


class Average:
    """An exponential moving average of parameters, which is what is kept at the end."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float):
        self.parameters = list(parameters)
        self.averages = [parameter.detach().clone() for parameter in self.parameters]
        self.decay = decay
        self.n_updates = 0

    @torch.no_grad()
    def update(self) -> None:
        # Early on the average follows faster, so that the first weights are soon forgotten.
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        self.n_updates += 1
        torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        for parameter, average in zip(self.parameters, self.averages):
            parameter.copy_(average)


def cosine(step: int, n_steps: int, n_warmup: int, lowest: float, flat: float = 0.0) -> float:
    """Share of the peak learning rate: warm-up, `flat` of all steps at the top, then half a cosine."""
    done = max(0.0, (step / n_steps - flat) / (1 - flat))
    return min(1.0, (step + 1) / n_warmup) * (lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * done)))
