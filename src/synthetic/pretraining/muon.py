"""Muon, an optimizer for weight matrices: momentum with orthogonalized updates.

torch.optim.Muon does the same in bfloat16, which most CPUs only emulate; here it is float32, and
matrices of one shape go through the iteration together. Jordan et al. 2024, "Muon: An optimizer for
hidden layers in neural networks".
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

# Coefficients and steps of the quintic Newton-Schulz iteration, as published.
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5
# Scales an orthogonal update to the RMS of Adam's, so that learning rates carry over (Liu et al.
# 2025, "Muon is scalable for LLM training").
ADAM_RMS = 0.2


class Muon(torch.optim.Optimizer):
    """For two-dimensional weights only; embeddings and vectors need another optimizer."""

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = defaultdict(list)
            for weight in group["params"]:
                by_shape[weight.shape].append(weight)
            for shape, weights in by_shape.items():
                updates = orthogonal(torch.stack([self._momentum(w, group) for w in weights]))
                rate = group["lr"] * ADAM_RMS * max(shape) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=rate)

    def _momentum(self, weight: torch.nn.Parameter, group: dict[str, Any]) -> torch.Tensor:
        """The gradient with Nesterov momentum, of the weight's shape; updates the momentum."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
        return weight.grad.lerp(state["momentum"], group["momentum"])


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """The matrices [matrices, rows, columns] with their singular values moved close to 1."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x if wide else x.mT
