"""What is a number here? Formats, rounding, scales and calibration."""

from pimlab.formats.casting import cast, overflows
from pimlab.formats.grids import BlockedFormat, FloatFormat, IntegerFormat, MicroscalingFormat, NumberFormat, format, formats
from pimlab.formats.quantisation import Quantized, affine, quantize, symmetric

__all__ = [
    "BlockedFormat",
    "FloatFormat",
    "IntegerFormat",
    "MicroscalingFormat",
    "NumberFormat",
    "Quantized",
    "affine",
    "cast",
    "format",
    "formats",
    "overflows",
    "quantize",
    "symmetric",
]
