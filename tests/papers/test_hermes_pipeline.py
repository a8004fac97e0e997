"""papers/hermes-pipeline: the network of the chip's paper on its 64 cores, with replicas."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_the_shapes_are_those_of_the_figure(make):
    """27 x 56, 504 x 112, 1008 x 112 (twice), 1008 x 224, 2016 x 224 (three times), 224 x 10."""
    ops = make.resnet9().mac_ops
    assert [(op.k, op.n) for op in ops] == [
        (27, 56),
        (504, 112),
        (1008, 112),
        (1008, 112),
        (1008, 224),
        (2016, 224),
        (2016, 224),
        (2016, 224),
        (224, 10),
    ]
    assert [op.m for op in ops] == [1024, 1024, 256, 256, 256, 64, 16, 16, 1]


def test_cores_by_hand(ds):
    """Tiles of 256 x 256: 1 + 2 + 4 + 4 + 4 + 8 + 8 + 8 + 1 = 40 cores once."""
    assert ds.arrays.sel(copies="once").values.tolist() == [40, 40]
    assert (ds.arrays.sel(copies="balanced") <= 64).all()


def test_copies_shorten_the_interval_and_cost_the_cores_nothing(ds):
    once, copied = (ds.sel(copies=name) for name in ("once", "balanced"))
    assert (copied.interval < once.interval / 3).all()
    np.testing.assert_allclose(copied.chip_energy, once.chip_energy, rtol=1e-9)
    # four phases: 1024 positions of 521 ns, and their fifth on five copies
    slowest = ds.interval.sel(mode="four-phase")
    np.testing.assert_allclose(slowest.sel(copies="once"), 1024 * 521e-9, rtol=1e-4)
    np.testing.assert_allclose(slowest.sel(copies="balanced"), 205 * 521e-9, rtol=1e-4)


def test_the_printed_pair_is_beyond_the_chip(ds):
    operations = float(ds.operations)
    assert operations / 1.52e-6 > 4 * 63.1e12
    assert operations / 1.51e-6 > 25 * 9.76e12


def test_one_vector_a_layer_at_the_printed_efficiency_is_the_printed_energy(ds):
    """2 x (27 x 56 + 504 x 112 + 2 x 1008 x 112 + 1008 x 224 + 3 x 2016 x 224 + 224 x 10) operations."""
    operations = float(ds.vector_operations)
    assert operations == 2 * 1_866_536
    assert round(operations / 2.48e12 * 1e6, 2) == 1.51
    # nine reads of 521 ns one after another
    np.testing.assert_allclose(ds.vector_time.sel(mode="four-phase"), 9 * 521e-9, rtol=1e-3)


def test_the_decomposition_is_the_whole_miss(make, ds):
    ours = float(ds.chip_energy.sel(mode="one-phase", copies="balanced"))
    np.testing.assert_allclose(np.prod([*make.decomposition(ds).values()]), ours / 1.51e-6)


def test_the_figure_draws(make, ds):
    assert "resnet9 on pcm-hermes" in make.draw(ds).get_suptitle()
