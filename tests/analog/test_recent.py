"""Are the last answers kept, and does the object that gave them go when nobody holds it?"""

import gc
import weakref

import numpy as np

import pimlab as pim
from pimlab.analog.recent import recent


class _Owner:
    def __init__(self):
        self.asked = []
        self.answer = recent(self._answer, 2)

    def _answer(self, question):
        self.asked.append(question)
        return [question]


def test_the_last_answers_are_kept():
    owner = _Owner()
    assert owner.answer(1) is owner.answer(1)
    assert owner.answer(2) == [2]
    assert owner.answer(3) == [3]
    assert owner.answer(1) == [1]
    assert owner.asked == [1, 2, 3, 1]
    owner.answer.cache_clear()
    assert owner.answer(1) == [1]
    assert owner.asked[-2:] == [1, 1]


def test_programmed_weights_go_with_their_last_holder():
    gc.collect()
    gc.disable()
    try:
        held = pim.target("pcm-hermes").program(np.ones((20, 3), np.float32), 0)
        held.matmul(np.ones((2, 20), np.float32), at="1 day")
        held.integrals(np.ones((2, 20), np.float32), at="1 day")
        parts = [
            weakref.ref(one)
            for one in (held, held.written, held.readers, held.readers.at(86400.0), held.energy)
        ]
        polarities = held.polarities
        del held
        assert [part() for part in parts] == [None] * 5
        assert polarities[0][0][1].at(0.0).shape == (1, 20, 3)
    finally:
        gc.enable()
