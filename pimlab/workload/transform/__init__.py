"""How small can a trained layer's weights be made before its outputs suffer? Quantisation and
pruning after training.

Every algorithm is a pure function of weights w (k, n) and calibration inputs x (rows, k), and
answers with a `Compressed`.
"""

from pimlab.workload.transform.layer import Compressed, output_error
from pimlab.workload.transform.pruning import magnitude, sparse_gpt, wanda
from pimlab.workload.transform.quantisation import awq, gptq, round_to_nearest, smooth_quant

__all__ = [
    "Compressed",
    "awq",
    "gptq",
    "magnitude",
    "output_error",
    "round_to_nearest",
    "smooth_quant",
    "sparse_gpt",
    "wanda",
]
