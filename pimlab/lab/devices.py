"""What becomes of a cell's conductance in time? Devices side by side, with a slider of time."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from pimlab.analog.devices import device, device_names
from pimlab.analog.devices.device import Device
from pimlab.arguments import typed
from pimlab.plot.cells import TIMES, cells
from pimlab.plot.style import png


@typed
def explore_device(devices: str | Device | Sequence[str | Device] | None = None) -> DeviceExplorer:
    """Conductances of a device over time, to be compared with others.

    devices : a device, its name, or several; all of the library by default. ValueError as `device`.

    >>> view = pim.explore_device("pcm-joshi2020")
    >>> list(view.devices)
    ['pcm-joshi2020']
    """
    listed = device_names() if devices is None else devices
    every = [listed] if isinstance(listed, (str, Device)) else list(listed)
    found = [device(one) if isinstance(one, str) else one for one in every]
    if not found:
        raise ValueError("explore_device devices=[]; allowed: one device or more")
    return DeviceExplorer({one.name: one for one in found})


class DeviceExplorer(widgets.VBox):
    """What `explore_device` shows."""

    def __init__(self, devices: dict[str, Device]):
        self.devices = devices
        self._name = widgets.Dropdown(options=list(devices), description="device")
        self._last = widgets.SelectionSlider(options=TIMES, value=TIMES[-1], description="until")
        self._seed = widgets.BoundedIntText(value=0, min=0, max=9999, description="cells of seed")
        self._picture = widgets.Image(format="png")
        for each in (self._name, self._last, self._seed):
            each.observe(lambda _: self._show(), "value")
        super().__init__([widgets.HBox([self._name, self._last, self._seed]), self._picture])
        self._show()

    def _show(self) -> None:
        until = TIMES[: TIMES.index(self._last.value) + 1]
        drawn = cells(self.devices[self._name.value], until, self._seed.value)
        self._picture.value = png(drawn)
