"""Which published analog machines are there? Named crossbars whose numbers come from the
catalogue.
"""

from __future__ import annotations

from pimlab.analog.compensation import DriftCompensation
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.costs import macro
from pimlab.analog.crossbar import Crossbar
from pimlab.analog.devices import device


def pcm_hermes() -> Crossbar:
    """IBM HERMES project chip, 14 nm, in four-phase (high-precision) mode, 8-bit inputs and
    outputs.

    256 x 256 weights an array, each of two PCM devices a polarity; the digital rest runs on the
    host. Le Gallo et al., Nature Electronics 6, 680 (2023).
    """
    return Crossbar(
        name="pcm-hermes",
        rows=256,
        cols=256,
        cell=device("pcm-hermes-pair"),
        dac=DAC(bits=8),
        adc=ADC(bits=8),
        compensation=DriftCompensation(),
        costs=macro("hermes"),
    )


def pcm_hermes_fast() -> Crossbar:
    """The same chip in one-phase (low-precision) mode: four times the throughput and efficiency.

    What the mode costs in precision is not published as numbers: the noise here is that of
    four-phase reads, a lower bound.
    """
    return pcm_hermes().but(name="pcm-hermes-one-phase", costs=macro("hermes-one-phase"))


TARGETS = {"pcm-hermes": pcm_hermes, "pcm-hermes-one-phase": pcm_hermes_fast}
