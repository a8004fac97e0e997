"""By which angles does a decoder turn its queries and keys? Rotary positions, and the rules that
stretch them to longer contexts.

Feature pair i of a head of width d turns by position times base**(-2 i / d) (Su et al., RoFormer,
arXiv:2104.09864, eq. 15). Stretched: all frequencies over one factor (`Linear`; Chen et al., arXiv:
2306.15595), by wavelength (`Llama3`; Meta's Llama 3.1), by wavelength with larger scores (`Yarn`;
Peng et al., arXiv:2309.00071, section 3.4), or each by a divisor of its own (`Divisors`; Ding et
al., LongRoPE, arXiv:2402.13753, and the tensor rope_freqs of GGUF files).
"""

from __future__ import annotations

import math

import numpy as np

from pimlab.values import Value, choice, integer, number, part


class Linear(Value):
    """Positions over `factor`."""

    factor: float = number(above=0)

    def stretched(
        self, frequencies: np.ndarray, base: float, capacity: int
    ) -> tuple[np.ndarray, float]:
        """The frequencies float64, shape (pairs,) and what multiplies cos and sin, here 1."""
        return frequencies / self.factor, 1.0


class Llama3(Value):
    """Long waves over `factor`, short ones as they are, a mixture between.

    A wave is long where it turns less than `low` times in `trained` tokens, short where it turns
    more than `high` times.
    """

    factor: float = number(above=0)
    low: float = number(above=0, default=1.0)
    high: float = number(above=0, default=4.0)
    trained: int = integer(1, doc="context that the base model was trained for")

    def check(self) -> None:
        """`low` is below `high`."""
        if self.low >= self.high:
            raise ValueError(f"Llama3 low={self.low} is not below high={self.high}")

    def stretched(
        self, frequencies: np.ndarray, base: float, capacity: int
    ) -> tuple[np.ndarray, float]:
        """As `Linear.stretched`. Frequencies : shape (pairs,), radians a token."""
        turns = self.trained * frequencies / (2 * math.pi)
        kept = np.clip((turns - self.low) / (self.high - self.low), 0, 1)
        return frequencies * (kept + (1 - kept) / self.factor), 1.0


class Yarn(Value):
    """Pairs that turn more than `fast` times in `trained` tokens as they are, those that turn less
    than `slow` times over `factor`, with a ramp over the pairs between.

    cos and sin are multiplied by `attention`, or by 0.1 ln(factor) + 1 where it is None.
    """

    factor: float = number(above=0)
    trained: int = integer(1, doc="context that the base model was trained for")
    fast: float = number(above=0, default=32.0)
    slow: float = number(above=0, default=1.0)
    attention: float | None = number(above=0, default=None)

    def stretched(
        self, frequencies: np.ndarray, base: float, capacity: int
    ) -> tuple[np.ndarray, float]:
        """As `Linear.stretched`. Frequencies : shape (pairs,), radians a token."""
        pairs = len(frequencies)

        def pair_that_turns(times: float) -> float:
            return pairs * math.log(self.trained / (times * 2 * math.pi)) / math.log(base)

        low = max(math.floor(pair_that_turns(self.fast)), 0)
        high = min(math.ceil(pair_that_turns(self.slow)), 2 * pairs - 1)
        ramp = np.clip((np.arange(pairs) - low) / max(high - low, 0.001), 0, 1)
        usual = 0.1 * math.log(self.factor) + 1.0 if self.factor > 1 else 1.0
        scale = usual if self.attention is None else self.attention
        return frequencies * (1 - ramp + ramp / self.factor), scale


class Divisors(Value):
    """Each frequency over its divisor: those of `long` where more than `trained` tokens are to be
    held, else those of `short`.

    attention : what multiplies cos and sin.
    """

    short: tuple[float, ...]
    long: tuple[float, ...] = ()
    trained: int | None = integer(1, default=None)
    attention: float = number(above=0, default=1.0)

    def check(self) -> None:
        """Divisors are positive, and as many in both lists."""
        for name, listed in (("short", self.short), ("long", self.long)):
            for divisor in listed:
                if not 0 < divisor < np.inf:
                    raise ValueError(
                        f"Divisors {name} holds {divisor!r}; allowed: numbers above 0, finite"
                    )
        if self.long and len(self.long) != len(self.short):
            raise ValueError(f"Divisors: {len(self.short)} short and {len(self.long)} long ones")

    def stretched(
        self, frequencies: np.ndarray, base: float, capacity: int
    ) -> tuple[np.ndarray, float]:
        """As `Linear.stretched`. Frequencies : shape (pairs,), radians a token."""
        beyond = bool(self.long) and self.trained is not None and capacity > self.trained
        return frequencies / np.array(self.long if beyond else self.short), self.attention


class Rotary(Value):
    """Which features turn together, how many of a head do, and how frequencies are stretched.

    pairs : "neighbours", features 2i and 2i + 1 (LLaMA's own files, and GGUF's of LLaMA), or
    "halves", i and i + width / 2 (GPT-NeoX; Hugging Face's files).
    """

    pairs: str = choice("neighbours", "halves", default="neighbours")
    width: int | None = integer(2, default=None, doc="features that turn; None: the whole head")
    scaling: Linear | Llama3 | Yarn | Divisors | None = part(
        Linear, Llama3, Yarn, Divisors, default=None
    )

    def angles(
        self, base: float, head_width: int, positions: np.ndarray, capacity: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """cos and sin, float32, shape (positions, pairs), of int positions (positions,), for a
        context of `capacity` tokens.
        """
        pairs = (self.width or head_width) // 2
        frequencies, scale = base ** (-np.arange(pairs) / pairs), 1.0
        if self.scaling is not None:
            frequencies, scale = self.scaling.stretched(frequencies, base, capacity)
        angles = positions[:, None] * frequencies
        return (np.cos(angles) * scale).astype(np.float32), (np.sin(angles) * scale).astype(
            np.float32
        )

    def turned(self, x: np.ndarray, angles: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """x float32, shape (..., tokens, head_width) with each pair of features turned by its
        angle.
        """
        cos, sin = angles
        width, out = 2 * cos.shape[1], x.copy()
        a, b = (
            (slice(0, width, 2), slice(1, width, 2))
            if self.pairs == "neighbours"
            else (slice(0, width // 2), slice(width // 2, width))
        )
        out[..., a] = x[..., a] * cos - x[..., b] * sin
        out[..., b] = x[..., a] * sin + x[..., b] * cos
        return out
