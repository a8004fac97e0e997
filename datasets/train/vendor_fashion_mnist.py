"""Copy the test images of Debian's dataset-fashion-mnist into datasets/, and 512 training images to
calibrate on.

Run from the repository: `python datasets/train/vendor_fashion_mnist.py [folder]`.
"""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

import numpy as np
from archives import save, spread

SOURCE = Path("/usr/share/datasets/fashion-mnist")


def main(folder: Path) -> None:
    """Write t10k-*.gz unchanged, and fashion-mnist-calibration.npz with evenly spaced training
    images (uint8).
    """
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        shutil.copyfile(SOURCE / name, folder / name)
    images = np.frombuffer(
        gzip.decompress((SOURCE / "train-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    labels = np.frombuffer(
        gzip.decompress((SOURCE / "train-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8
    )
    chosen = spread(len(labels), 512)
    save(
        folder / "fashion-mnist-calibration.npz",
        calibration_inputs=images.reshape(-1, 1, 28, 28)[chosen],
        calibration_labels=labels[chosen],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
