"""Codes of a file: bounds of a zero point, and parts of a product."""

import numpy as np
import pytest

from pimlab.machine.stored import Affine, StoredProduct, StoredWeights


def test_a_zero_point_is_a_code():
    for signed, zero, fits in (
        (True, -128, True), (True, 128, False), (False, 255, True), (False, -1, False),
    ):  # fmt: skip
        if fits:
            assert Affine(signed=signed, scale=0.1, zero_point=zero).zero_point == zero
        else:
            with pytest.raises(ValueError, match=f"zero_point={zero} is outside"):
                Affine(signed=signed, scale=0.1, zero_point=zero)
    with pytest.raises(ValueError, match=r"scale=0\.0 is outside above 0"):
        Affine(scale=0.0)
    assert Affine(signed=False, scale=1.0, zero_point=128).is_symmetric
    assert not Affine(scale=1.0, zero_point=5).is_symmetric


def test_a_part_is_cut_from_every_array():
    codes = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    scale = np.arange(1, 9, dtype=np.float32).reshape(2, 1, 4)
    whole = StoredProduct(codes, scale, Affine(scale=1.0), None, np.arange(8).reshape(2, 4))
    part = whole.group(1).columns(slice(1, 3))
    assert np.array_equal(part.codes, codes[1:2, :, 1:3])
    assert np.array_equal(part.scale, [[[6, 7]]])
    assert np.array_equal(part.bias, [[5, 6]])
    assert part.holds(codes[1, :, 1:3].astype(np.float32) * [[6, 7]])
    assert not part.holds(codes[1, :, 1:3].astype(np.float32))


def test_weights_that_are_codes_know_their_parts_and_values():
    codes = np.arange(12).reshape(1, 6, 2) - 5
    scale = np.array([[[0.5, 1.0], [2.0, 4.0]]], np.float32)
    held = StoredWeights(codes, scale, np.array([0, 0, 0, 1, 1, 1]), 4)
    w = (codes[0] * np.repeat(scale[0], 3, axis=0)).astype(np.float32)
    assert held.holds(w)
    assert not held.holds(2 * w)
    assert not held.holds(w[:4])
    assert held.part == 3
    assert held._replace(part_of=np.array([0, 1, 0, 1, 0, 1])).part == 0
    assert held._replace(scale=scale[:, :1], part_of=np.zeros(6, int)).part is None
    assert held.columns(slice(1, 2)).holds(w[:, 1:])
    assert held.group(0).codes.shape == (1, 6, 2)


def test_codes_come_from_values_and_go_back():
    codes = Affine(signed=False, scale=0.5, zero_point=3)
    x = np.array([[-9.0, -1.6, 0.2, 0.8, 200.0]], np.float32)
    assert codes.steps(x).tolist() == [[-3, -3, 0, 2, 252]]
    assert codes.values(x).tolist() == [[-1.5, -1.5, 0, 1, 126]]


def grouped(k, group, bits=4):
    codes = np.arange(k * 2).reshape(1, k, 2) % 15 - 7
    part_of = np.arange(k) // group
    scale = np.float32(1 + np.arange(2 * (part_of[-1] + 1)).reshape(1, -1, 2))
    held = StoredWeights(codes, scale, part_of, bits)
    return held, codes[0].astype(np.float32) * scale[0][part_of]


def test_a_last_group_that_is_shorter_is_a_group():
    assert grouped(100, 16)[0].part == 16
    assert grouped(100, 100)[0].part is None


def test_a_machine_keeps_codes_that_its_format_has_room_for():
    held, w = grouped(24, 8)
    assert held.kept(w, 4, True, 8).part == 8
    halves = held.kept(w, 4, True, 4)
    np.testing.assert_array_equal(halves.scale[0][halves.part_of], held.scale[0][held.part_of])
    for width, group in ((4, 16), (3, 8), (4, None)):
        assert held.kept(w, width, True, group) is None
    assert held.kept(w + 1, 4, True, 8) is None
    column, w = grouped(24, 24)
    assert column.kept(w, 4, True, None) is not None
    assert column.kept(w, 4, True, 8).scale.shape == (1, 3, 2)


def test_codes_beyond_the_signed_ones_need_zero_points():
    codes = np.array([[[-9], [6]]])
    held = StoredWeights(codes, np.ones((1, 1, 1), np.float32), np.zeros(2, int), 4)
    w = codes[0].astype(np.float32)
    assert held.kept(w, 4, True, None) is None
    assert held.kept(w, 4, False, 2) is not None


def test_inputs_keep_their_codes_beside_weights_of_the_file():
    x = Affine(signed=False, scale=0.5)
    one = StoredProduct(np.ones((1, 2, 3), int), np.ones((1, 1, 3), np.float32), x)
    w = np.ones((2, 3), np.float32)
    assert one.inputs(w, 8) == x
    assert one.inputs(w, 7) is None
    assert one.inputs(2 * w, 8) is None
