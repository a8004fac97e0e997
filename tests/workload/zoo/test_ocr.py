"""Lines do not change from call to call, and carry the noise that is asked for."""

import numpy as np

from pimlab.workload.zoo import ocr


def test_lines_are_the_same_each_time_and_carry_their_noise(monkeypatch):
    monkeypatch.setattr(ocr, "characters", lambda: ("", *map(chr, range(32, 127))))
    clean, labels = ocr.rendered(0, "calibration")
    noisy, again = ocr.rendered(40, "calibration")
    assert clean.shape == (16, 3, 48, 320)
    assert (np.abs(clean) <= 1).all()
    np.testing.assert_array_equal(labels, again)
    np.testing.assert_array_equal(noisy, ocr.rendered(40, "calibration")[0])
    page = (clean == 1) & (noisy != 0)
    half = np.abs((noisy - clean)[page]) * 127.5  # white stays below 255: half of the noise is seen
    assert 13 < half.mean() < 19


def test_lines_of_a_split_are_its_own():
    texts = {split: ocr._texts(split) for split in ocr.COUNT}
    assert {split: len(lines) for split, lines in texts.items()} == ocr.COUNT
    assert not set(texts["train"]) & {*texts["test"], *texts["calibration"]}
