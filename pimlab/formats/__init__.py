"""What is a number here? Formats, rounding, scales and calibration."""

from pimlab.formats.casting import cast, overflows
from pimlab.formats.grids import (
    BlockedFormat,
    FloatFormat,
    IntegerFormat,
    MicroscalingFormat,
    NumberFormat,
    format,
    formats,
)
from pimlab.formats.product import FloatAccumulator, Product, accumulated, product
from pimlab.formats.quantisation import Quantized, affine, quantize, symmetric

__all__ = [
    "BlockedFormat",
    "FloatAccumulator",
    "FloatFormat",
    "IntegerFormat",
    "MicroscalingFormat",
    "NumberFormat",
    "Product",
    "Quantized",
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
