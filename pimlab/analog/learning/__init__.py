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
from pimlab.analog.learning.rules import (
    SGD,
    Learner,
    MixedPrecision,
    TikiTaka,
    TikiTakaV2,
    UpdateRule,
)
from pimlab.analog.learning.tiles import PairTile, Tile, tile

__all__ = [
    "AGAD",
    "SGD",
    "ChoppedTikiTaka",
    "ChoppedTikiTakaV2",
    "Learner",
    "MixedPrecision",
    "PairTile",
    "ResidualLearning",
    "TikiTaka",
    "TikiTakaV2",
    "Tile",
    "UpdateDevice",
    "UpdateRule",
    "tile",
    "update_device",
    "update_device_names",
]
