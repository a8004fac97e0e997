"""Train the project's small language model on the King James Bible and write
datasets/language/small-lm.npz.

It needs torch (`pip install torch==2.13.0`, the CPU build, in an environment of its own beside this
project) and about ten minutes of one core:

    python datasets/train/train_small_lm.py [--steps 1300] [--out datasets/language/small-lm.npz]

The model is a LLaMA-style decoder (RMS norm, rotary positions, grouped-query attention, SwiGLU,
tied embedding) of 869,504 parameters, stored as float16 (1.7 MB). Only the split "train" is read
while training; the losses on the calibration and test books are printed at the end beside an
interpolated Kneser-Ney n-gram model of the same tokens.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pimlab.workload.language.tokens import BytePairs, learn_merges
from pimlab.workload.zoo import kjv

HERE = Path(__file__).resolve().parents[1] / "language"
SHAPE = {
    "vocabulary": 1024,
    "width": 128,
    "layers": 4,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 32,
    "hidden": 352,
    "context": 256,
    "rope_base": 10000.0,
    "norm_epsilon": 1e-5,
}


def rms_norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + SHAPE["norm_epsilon"]) * gain


def rotated(x: torch.Tensor) -> torch.Tensor:
    """Rotary positions of x (batch, heads, tokens, head width): neighbours 2i, 2i + 1 turn
    together.
    """
    half, tokens = SHAPE["head_width"] // 2, x.shape[2]
    angle = torch.arange(tokens)[:, None] * SHAPE["rope_base"] ** (-torch.arange(half) / half)[None]
    even, odd = x[..., ::2], x[..., 1::2]
    return torch.stack(
        [even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()], -1
    ).flatten(-2)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        d, q, kv, f = (
            SHAPE["width"],
            SHAPE["heads"] * SHAPE["head_width"],
            SHAPE["kv_heads"] * SHAPE["head_width"],
            SHAPE["hidden"],
        )
        self.attention_norm, self.ffn_norm = (
            nn.Parameter(torch.ones(d)),
            nn.Parameter(torch.ones(d)),
        )
        for name, (k, n) in {
            "q": (d, q),
            "k": (d, kv),
            "v": (d, kv),
            "o": (q, d),
            "gate": (d, f),
            "up": (d, f),
            "down": (f, d),
        }.items():
            scale = 1 / math.sqrt(2 * SHAPE["layers"]) if name in ("o", "down") else 1.0
            setattr(self, name, nn.Parameter(torch.randn(k, n) * scale / math.sqrt(k)))

    def heads(self, x: torch.Tensor, count: int) -> torch.Tensor:
        return x.unflatten(-1, (count, SHAPE["head_width"])).transpose(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = rms_norm(x, self.attention_norm)
        q, k = (
            rotated(self.heads(y @ self.q, SHAPE["heads"])),
            rotated(self.heads(y @ self.k, SHAPE["kv_heads"])),
        )
        v = self.heads(y @ self.v, SHAPE["kv_heads"])
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + y.transpose(1, 2).flatten(-2) @ self.o
        y = rms_norm(x, self.ffn_norm)
        return x + (functional.silu(y @ self.gate) * (y @ self.up)) @ self.down


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Parameter(
            torch.randn(SHAPE["vocabulary"], SHAPE["width"]) / math.sqrt(SHAPE["width"])
        )
        self.blocks = nn.ModuleList(Block() for _ in range(SHAPE["layers"]))
        self.norm = nn.Parameter(torch.ones(SHAPE["width"]))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding[tokens]
        for block in self.blocks:
            x = block(x)
        return rms_norm(x, self.norm) @ self.embedding.T

    def loss(self, tokens: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(self(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def train(model: Decoder, tokens: torch.Tensor, steps: int, batch: int, peak: float) -> None:
    matrices = [p for p in model.parameters() if p.ndim == 2]
    gains = [p for p in model.parameters() if p.ndim == 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}],
        lr=peak,
        betas=(0.9, 0.95),
    )
    start = time.time()
    for step in range(steps):
        rate = (
            peak
            * min(1.0, (step + 1) / 100)
            * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        at = torch.randint(len(tokens) - SHAPE["context"] - 1, (batch, 1)) + torch.arange(
            SHAPE["context"] + 1
        )
        loss = model.loss(tokens[at])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0 or step == steps - 1:
            print(
                f"step {step:5d}  loss {loss.item():.4f}  {time.time() - start:6.1f} s", flush=True
            )


@torch.no_grad()
def perplexity(model: Decoder, tokens: torch.Tensor) -> float:
    """Perplexity over whole windows of the full context, each read from its start."""
    windows = (len(tokens) - 1) // SHAPE["context"]
    at = torch.arange(windows)[:, None] * SHAPE["context"] + torch.arange(SHAPE["context"] + 1)
    return math.exp(np.mean([model.loss(tokens[part][None]).item() for part in at]))


def kneser_ney(
    tokens: np.ndarray, held: np.ndarray, order: int, vocabulary: int, discount: float = 0.8
) -> float:
    """Perplexity of `held` under an interpolated Kneser-Ney model of that order (Chen and Goodman
    1999, section 2.7).
    """
    counts = [
        Counter(
            zip(
                *(tokens[i : len(tokens) - order + 1 + i].tolist() for i in range(order)),
                strict=True,
            )
        )
    ]
    while len(counts) < order:
        lower: Counter[tuple[int, ...]] = Counter(gram[1:] for gram in counts[-1])
        counts.append(lower)
    tables = []
    for grams in reversed(counts):
        total: dict[tuple[int, ...], int] = defaultdict(int)
        kinds: dict[tuple[int, ...], int] = defaultdict(int)
        for gram, n in grams.items():
            total[gram[:-1]] += n
            kinds[gram[:-1]] += 1
        tables.append((grams, total, kinds))
    nll = 0.0
    for i in range(order - 1, len(held)):
        p = 1.0 / vocabulary
        for n, (grams, total, kinds) in enumerate(tables, start=1):
            gram = tuple(held[i - n + 1 : i + 1].tolist())
            if gram[:-1] in total:
                whole = total[gram[:-1]]
                p = (
                    max(grams.get(gram, 0) - discount, 0.0) / whole
                    + discount * kinds[gram[:-1]] / whole * p
                )
        nll -= math.log(p)
    return math.exp(nll / (len(held) - order + 1))


def save(model: Decoder, merges: np.ndarray, path: Path, facts: dict[str, float]) -> None:
    arrays = {"embedding": model.embedding, "norm": model.norm}
    for i, block in enumerate(model.blocks):
        arrays |= {f"layer{i}.{name}": p for name, p in block.named_parameters()}
    stored = {name: p.detach().numpy().astype(np.float16) for name, p in arrays.items()}
    np.savez(
        path,
        shape=np.array(json.dumps(SHAPE)),
        merges=merges.astype(np.int16),
        facts=np.array(json.dumps(facts)),
        **stored,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--peak", type=float, default=5e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "small-lm.npz")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(given.threads)
    texts = {split: kjv.text(HERE / "kjv.txt.xz", split) for split in kjv.SPLITS}
    merges = learn_merges(texts["train"], SHAPE["vocabulary"] - 256)
    tokenizer = BytePairs("kjv-1024", merges)
    tokens = {split: tokenizer.encode(text) for split, text in texts.items()}
    model = Decoder()
    print(
        f"{sum(p.numel() for p in model.parameters())} parameters, {len(tokens['train'])} training "
        "tokens",
        flush=True,
    )
    train(
        model, torch.tensor(tokens["train"], dtype=torch.long), given.steps, given.batch, given.peak
    )
    facts = {
        split: perplexity(model, torch.tensor(tokens[split], dtype=torch.long))
        for split in ("calibration", "test")
    }
    facts |= {
        f"kneser_ney_{order}": kneser_ney(
            tokens["train"], tokens["test"], order, SHAPE["vocabulary"]
        )
        for order in (3, 4, 5)
    }
    facts["bytes_a_token_test"] = len(texts["test"]) / len(tokens["test"])
    print(json.dumps(facts, indent=1))
    save(model, merges, given.out, facts)


if __name__ == "__main__":
    main()
