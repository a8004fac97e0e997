"""Is the Pareto front what brute force says, and does the figure show every design?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plot.designs import designs, unbeaten


@pytest.mark.parametrize("highest", [True, False])
def test_front_is_that_of_brute_force(highest):
    rng = np.random.default_rng(3)
    energy, quality = rng.integers(1, 9, 40).astype(float), rng.integers(1, 9, 40).astype(float)
    sign = 1 if highest else -1

    def beaten(i):
        better = (energy <= energy[i]) & (sign * quality >= sign * quality[i])
        return (better & ((energy < energy[i]) | (sign * quality > sign * quality[i]))).any()

    alone = {(energy[i], quality[i]) for i in range(40) if not beaten(i)}
    kept = unbeaten(energy, quality, highest)
    assert {(energy[i], quality[i]) for i in kept} == alone
    assert (np.diff(energy[kept]) > 0).all()


def test_every_design_has_its_number():
    explorer = pim.explore("digits-mlp", ["warboy", "pcm-hermes"], samples=10)
    explorer.pin()
    explorer.move("machine", "pcm-hermes")
    figure = designs(explorer.designs)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["1  warboy", "2  now"]


def test_what_is_no_dataset_of_designs_is_refused():
    with pytest.raises(TypeError, match="designs"):
        designs(3)
