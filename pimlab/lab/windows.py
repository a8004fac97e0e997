"""What does each resource do in this window of time? A schedule that one can zoom into."""

from __future__ import annotations

import ipywidgets as widgets
import xarray as xr

from pimlab.arguments import named
from pimlab.plot.style import png
from pimlab.plot.timeline import timeline
from pimlab.units import si

STEPS = 200


@named
def explore_schedule(busy: xr.Dataset) -> ScheduleExplorer:
    """A timeline of a schedule with a window to move and to zoom.

    busy : what `schedule` returned. TypeError for what is no schedule.

    >>> busy = pim.schedule(pim.load_model("digits-mlp"), pim.target("warboy"), inferences=4)
    >>> pim.explore_schedule(busy).window[0]
    0.0
    """
    return ScheduleExplorer(busy)


class ScheduleExplorer(widgets.VBox):
    """What `explore_schedule` shows; `window` is the time in sight, (s, s)."""

    def __init__(self, busy: xr.Dataset):
        self.busy = busy
        timeline(busy, 1)  # refuses what is no schedule
        self.end = float(busy.finish.max())
        self._range = widgets.IntRangeSlider(
            value=(0, min(STEPS, max(1, round(STEPS * 4 * float(busy.latency) / self.end)))),
            min=0,
            max=STEPS,
            description="window",
            continuous_update=False,
            readout=False,
            layout=widgets.Layout(width="40em"),
        )
        self._text, self._picture = widgets.HTML(), widgets.Image(format="png")
        self._range.observe(lambda _: self._show(), "value")
        super().__init__([widgets.HBox([self._range, self._text]), self._picture])
        self._show()

    @property
    def window(self) -> tuple[float, float]:
        """Begin and end of the time in sight [s]."""
        low, high = self._range.value
        return low / STEPS * self.end, max(high, low + 1) / STEPS * self.end

    def _show(self) -> None:
        begin, end = self.window
        last = self.busy.inference.values[self.busy.start.values < end].max(initial=0)
        figure = timeline(self.busy, int(last) + 1)
        for ax in figure.axes:
            ax.set_xlim(begin, end)
        self._text.value = f"{si(begin, 's', 3)} to {si(end, 's', 3)}"
        self._picture.value = png(figure)
