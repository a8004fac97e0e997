"""Which matrices are 2:4 sparse, and how many weights of a column are kept?"""

import numpy as np
import pytest

from pimlab.npu import sparsity


@pytest.mark.parametrize(("k", "kept"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 4), (8, 4)])
def test_two_of_every_four_begun_are_kept(k, kept):
    assert sparsity.kept(k) == kept


def test_a_third_weight_of_a_group_is_refused_by_its_place():
    w = np.zeros((10, 3))
    w[[0, 3, 4, 5, 8, 9], 1] = 1
    sparsity.check_two_of_four(w, "layer")
    w[6, 1] = 1
    with pytest.raises(ValueError, match=r"layer: .* rows 4\.\.7 of column 1 hold 3"):
        sparsity.check_two_of_four(w, "layer")
