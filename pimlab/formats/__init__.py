"""What is a number here? Formats, rounding, scales and calibration."""

from pimlab.formats.casting import cast, overflows
from pimlab.formats.grids import (
    BlockedFormat,
    FloatFormat,
    IntegerFormat,
    MicroscalingFormat,
    NumberFormat,
    PowerFormat,
    TernaryFormat,
)
from pimlab.formats.names import format, formats
from pimlab.formats.product import FloatAccumulator, Product, accumulated, product
from pimlab.formats.quantisation import Quantized, affine, quantize, symmetric
from pimlab.formats.shared_scales import GroupFormat, ScaledBlockFormat, TableFormat

__all__ = [
    "BlockedFormat",
    "FloatAccumulator",
    "FloatFormat",
    "GroupFormat",
    "IntegerFormat",
    "MicroscalingFormat",
    "NumberFormat",
    "PowerFormat",
    "Product",
    "Quantized",
    "ScaledBlockFormat",
    "TableFormat",
    "TernaryFormat",
    "accumulated",
    "affine",
    "cast",
    "format",
    "formats",
    "overflows",
    "product",
    "quantize",
    "symmetric",
]
