"""How do a model's weights have to change for a smaller loss? Gradients through its graph, an
optimiser, the model with new weights.
"""

from pimlab.workload.training.graph import Graph, Operands
from pimlab.workload.training.loss import cross_entropy
from pimlab.workload.training.optimiser import Adam
from pimlab.workload.training.trained import Trained, trained

__all__ = ["Adam", "Graph", "Operands", "Trained", "cross_entropy", "trained"]
