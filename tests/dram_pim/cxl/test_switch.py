"""pimlab.dram_pim.cxl.switch: flits of a message by hand, and what cannot be."""

import pytest

import pimlab as pim

SWITCH = pim.dram_pim.cxl_devices("cent", devices=1).switch


def test_a_vector_by_hand():
    # 4,096 values of two bytes are 43 flits of 192 bytes; 18 lanes of 4 GiB/s
    wanted = 180e-9 + 43 * 256 / (18 * 4 * 2**30)
    assert SWITCH.send(4096, 8) == pytest.approx(wanted, rel=1e-12)


def test_a_block_is_the_artefact_s():
    # LLaMA-2 7B over groups of eight: 0.0042958331 ms a block
    assert SWITCH.block(4096, 11008, 8, 8) == pytest.approx(4.2958331e-6, rel=1e-6)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="lanes=144 for 145 devices"):
        SWITCH.send(1, 145)
    with pytest.raises(ValueError, match="payload=300 is more than flit=256"):
        SWITCH.but(payload=300)
