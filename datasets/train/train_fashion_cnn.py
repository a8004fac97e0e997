"""Train the Fashion-MNIST CNN: conv16, conv32, fc64, fc10; 105,866 parameters, 1.12 million
multiply-accumulates.

Needs `pip install torch==2.13.0` and Debian's `apt-get install dataset-fashion-mnist` (all 60,000
training images). Run from the repository: `python datasets/train/train_fashion_cnn.py`; about ten
minutes on two cores. The test images are read once, after the last epoch, to print the accuracy;
nothing is chosen by them.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from graph import Chain
from torch import nn
from torch.nn import functional

SOURCE = Path("/usr/share/datasets/fashion-mnist")
EPOCHS, BATCH, RATE, SEED = 40, 128, 2e-3, 0


def images(split: str) -> torch.Tensor:
    """(n, 1, 28, 28) float32 in 0..1."""
    raw = gzip.decompress((SOURCE / f"{split}-images-idx3-ubyte.gz").read_bytes())
    return torch.from_numpy(
        np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    )


def labels(split: str) -> torch.Tensor:
    """(n,) int64 class of each image."""
    raw = gzip.decompress((SOURCE / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=8).astype(np.int64))


class Network(nn.Module):
    """The layers, with dropout before the two dense ones while training."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(32 * 7 * 7, 64), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.dropout(x.flatten(1), 0.25, self.training)
        x = functional.dropout(functional.relu(self.fc1(x)), 0.15, self.training)
        return self.fc2(x)


def augmented(x: torch.Tensor) -> torch.Tensor:
    """The batch mirrored at random, image by image, and shifted together by at most one pixel
    either way.
    """
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
    row, column = torch.randint(0, 3, (2,)).tolist()
    return functional.pad(x, (1, 1, 1, 1))[:, :, row : row + 28, column : column + 28]


def train() -> Network:
    """The network after the last epoch, its weights averaged over the steps (decay 0.999)."""
    torch.manual_seed(SEED)
    x, y, network = images("train"), labels("train"), Network()
    steps = EPOCHS * (len(x) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    mean = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999)
    )
    for epoch in range(EPOCHS):
        for chosen in torch.randperm(len(x))[: len(x) // BATCH * BATCH].split(BATCH):
            optimiser.zero_grad()
            loss = functional.cross_entropy(
                network(augmented(x[chosen])), y[chosen], label_smoothing=0.05
            )
            loss.backward()
            optimiser.step()
            schedule.step()
            mean.update_parameters(network)
        print(f"epoch {epoch + 1}/{EPOCHS}: loss of the last batch {loss.item():.3f}", flush=True)
    return mean.module.eval()


def export(network: Network, path: Path) -> None:
    """Write the network to `path` as ONNX."""
    chain = Chain("fashion-cnn", (1, 28, 28))
    for name, layer in (("conv1", network.conv1), ("conv2", network.conv2)):
        chain.layer(
            "Conv",
            name,
            layer.weight.detach().numpy(),
            layer.bias.detach().numpy(),
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        )
        chain.layer("Relu", f"{name}.relu")
        chain.layer("MaxPool", f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2])
    chain.layer("Flatten", "flatten", axis=1)
    chain.layer(
        "Gemm",
        "fc1",
        network.fc1.weight.detach().numpy(),
        network.fc1.bias.detach().numpy(),
        transB=1,
    )
    chain.layer("Relu", "fc1.relu")
    chain.layer(
        "Gemm",
        "fc2",
        network.fc2.weight.detach().numpy(),
        network.fc2.bias.detach().numpy(),
        transB=1,
    )
    chain.save(path, 10)


def main(path: Path) -> None:
    """Train, export to `path` and print the accuracy on the 10,000 test images."""
    network = train()
    export(network, path)
    with torch.no_grad():
        right = (network(images("t10k")).argmax(1) == labels("t10k")).sum().item()
    print(f"{path}: {right} of 10000 test images")


if __name__ == "__main__":
    main(
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else Path(__file__).parents[1] / "models" / "fashion-cnn.onnx"
    )
