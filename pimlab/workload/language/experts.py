"""What does a token cost where it passes only some experts of each layer? The shape of a mixture.

A layer has `experts` feed-forward networks and a router that sends every token to `active` of them.
Experts that no token of a batch chooses are not read; tokens choose independently and evenly, so of
`n` experts

    n (1 - (1 - active / experts)^tokens)

are chosen by some token, on average; we round up, and divide the tokens evenly among them.

1. N. Shazeer et al., Outrageously large neural networks: the sparsely-gated mixture-of-experts
   layer, ICLR 2017.
2. A. Q. Jiang et al., Mixtral of experts, arXiv 2401.04088 (2024).
"""

from __future__ import annotations

import math

from pimlab.values import integer
from pimlab.workload.language.shape import DecoderShape


class ExpertShape(DecoderShape):
    """A decoder whose feed-forward layers are `experts` networks; a token passes `active` of them.

    Raises ValueError where more are active than there are.
    """

    experts: int = integer(1)
    active: int = integer(1)

    def check(self) -> None:
        """No token passes more experts than there are."""
        super().check()
        if self.active > self.experts:
            raise ValueError(
                f"ExpertShape active={self.active} is outside 1..{self.experts}, its experts"
            )

    @property
    def expert_count(self) -> int:
        """Experts of a layer (unit: experts)."""
        return self.experts

    @property
    def layer_weights(self) -> int:
        """Weights of the linear layers of all experts, routers included, without the head (unit:
        weights).
        """
        return self._layer_weights(self.experts)

    @property
    def active_weights(self) -> int:
        """Weights that one token passes, without the head (unit: weights)."""
        return self._layer_weights(self.active)

    def _layer_weights(self, experts: int) -> int:
        sizes = {name: k * n for name, (k, n) in self.matrices.items()}
        attention = sum(sizes[name] for name in "qkvo")
        network = sum(sizes.values()) - attention
        return self.layers * (attention + experts * network + self.width * self.experts)

    def routed(self, tokens: int, chips: int = 1, every: bool = False) -> tuple[int, int]:
        """(experts, tokens of each) on one of `chips` chips that the experts are dealt out over.

        every : all experts, for what a chip holds, not only those that some token chooses. Unit:
        experts, and tokens.
        """
        local = self.experts // chips
        missed = (1 - self.active / self.experts) ** tokens
        touched = local if every else min(local, math.ceil(local * (1 - missed) - 1e-9))
        touched = max(1, touched)
        return touched, -(-tokens * self.active * local // (self.experts * touched))
