"""How do a model's weights have to change for a smaller loss? Gradients through its graph, an
optimiser, the model with new weights.
"""

from pimlab.workload.training.graph import Graph, Operands
from pimlab.workload.training.loss import cross_entropy, ctc, distillation, mean_square
from pimlab.workload.training.objective import Objective
from pimlab.workload.training.optimiser import Adam
from pimlab.workload.training.recipe import Recipe
from pimlab.workload.training.trained import Trained, TrainedLanguage, trained, trained_language

__all__ = [
    "Adam",
    "Graph",
    "Objective",
    "Operands",
    "Recipe",
    "Trained",
    "TrainedLanguage",
    "cross_entropy",
    "ctc",
    "distillation",
    "mean_square",
    "trained",
    "trained_language",
]
