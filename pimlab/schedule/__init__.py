"""What happens on the machines of a plan while requests keep coming? Tasks on resources, replicas
of weights, power states, and energy against the rate of arrivals.

What always holds, each with a test of its number in `tests/schedule`:

S1. No task starts before what it needs has ended.
S2. No resource serves more tasks at once than it has places.
S3. The energy of the parts is the energy of the whole.
S4. One inference without overlap has the latency and the energy of `run`, to the bit.
S5. No answer is better than its bound.
S6. The same input gives the same bytes.
S7. Requests far apart are each answered as a single one is.
S8. More arrays are never worse.

>>> busy = pim.schedule(pim.load_model("fashion-cnn"), pim.target("pcm-hermes"), inferences=8)
>>> bool(busy.interval_bound <= busy.interval < busy.latency)
True
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

from pimlab.schedule.load import crossings, energy_at
from pimlab.schedule.schedule import schedule
from pimlab.schedule.trace import write_trace

__all__ = ["crossings", "energy_at", "schedule", "write_trace"]


class _Room(ModuleType):
    """This room, which answers as its verb when it is called.

    The verb `pimlab.schedule(...)` and the room `pimlab.schedule` have one name: whoever imports
    the room first puts it where the verb would be.
    """

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return schedule(*arguments, **named)


sys.modules[__name__].__class__ = _Room
__signature__ = inspect.signature(schedule)
