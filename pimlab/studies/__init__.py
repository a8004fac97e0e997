"""Which accuracy, energy and latency does this model get on that machine, and why? `run`,
`compare`, `sweep`, `explain`, `cite`.
"""

from pimlab.studies.compare import compare
from pimlab.studies.explain import explain
from pimlab.studies.provenance import cite, target_of
from pimlab.studies.run import run
from pimlab.studies.sweep import Study, study, sweep

__all__ = ["Study", "cite", "compare", "explain", "run", "study", "sweep", "target_of"]
