"""How does an analog array learn in place? Cells that move by pulses, rank-1 updates by
coincidence, and the rules that use them.

`pimlab.train(model, TikiTakaV2(device=update_device("ecram-tang2018")), data, ...)` trains a
network in such arrays.
"""

from pimlab.analog.learning.chopped import (
    AGAD,
    ChoppedTikiTaka,
    ChoppedTikiTakaV2,
    ResidualLearning,
)
from pimlab.analog.learning.devices import UpdateDevice, update_device, update_device_names
from pimlab.analog.learning.passes import ReadPass, read_pass
from pimlab.analog.learning.rules import (
    SGD,
    Learner,
    MixedPrecision,
    TikiTaka,
    TikiTakaV2,
    UpdateRule,
)
from pimlab.analog.learning.steps import ExponentialStep, LinearStep, PiecewiseStep, PowerStep
from pimlab.analog.learning.tiles import PairTile, Tile, UnitTile, tile
from pimlab.analog.learning.unit_cells import UnitCell, reference_cell

__all__ = [
    "AGAD",
    "SGD",
    "ChoppedTikiTaka",
    "ChoppedTikiTakaV2",
    "ExponentialStep",
    "Learner",
    "LinearStep",
    "MixedPrecision",
    "PairTile",
    "PiecewiseStep",
    "PowerStep",
    "ReadPass",
    "ResidualLearning",
    "TikiTaka",
    "TikiTakaV2",
    "Tile",
    "UnitCell",
    "UnitTile",
    "UpdateDevice",
    "UpdateRule",
    "read_pass",
    "reference_cell",
    "tile",
    "update_device",
    "update_device_names",
]
