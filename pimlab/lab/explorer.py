"""What happens to accuracy and joules when one field of a machine moves? Sliders over public calls.

`explore` draws a widget; everything it shows is `explorer.answer`, a Dataset of public calls, and
`explorer.code` is the program that computes it without a widget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import xarray as xr

from pimlab import workload
from pimlab.arguments import typed
from pimlab.canonical import digest
from pimlab.lab.moves import Setting, changed, code, settings
from pimlab.machine.presets import target as preset
from pimlab.machine.protocol import Target
from pimlab.plot.designs import NOW, designs
from pimlab.plot.style import png
from pimlab.progress import progress
from pimlab.result import metrics, summary
from pimlab.studies.operating import TRAFFIC, operating_points
from pimlab.units import is_integer, si

SHOWN = 6
"""Settings that stand in sight; the others are behind "more"."""
TIMES = ("0 s", "1 h", "1 day", "1 month", "1 year", "10 years")
KEPT = 256
"""Answers that are remembered."""
Points = OrderedDict[str, xr.Dataset]


@typed
def explore(
    model: Any,
    targets: Sequence[str | Target] | str | Target = ("warboy", "hbm-pim", "pcm-hermes"),
    data: Any = None,
    *,
    samples: int = 100,
) -> Explorer:
    """Sliders for the fields of machines, with the accuracy and the joules [J] of `model` on them.

    model : a model, or a name for `load_model`.  targets : machines, or names for `target`.  data :
    as `run` takes it; of a model of the library, by default, its usual test data.  samples : of the
    data that every answer takes. Raises as `run` does; ValueError for samples below 1.

    >>> explorer = pim.explore("digits-mlp", ["warboy", "pcm-hermes"], samples=50)
    >>> explorer.move("machine", "pcm-hermes")
    >>> explorer.move("adc.bits", 4)
    >>> bool(explorer.answer.energy.sel(traffic="saturation").sum() > 0)
    True
    """
    if not is_integer(samples) or samples < 1:
        raise ValueError(f"explore samples={samples!r}; allowed: an integer, 1 or more")
    loaded = workload.load_model(model) if isinstance(model, str) else model
    if not hasattr(loaded, "mac_ops"):
        raise TypeError(f"explore model={model!r:.80} is no model; allowed: a name or a model")
    if data is None and isinstance(model, str) and model in workload.zoo.pairs.DATA:
        data = workload.load_data(workload.zoo.pairs.DATA[model], limit=samples)
    listed = [targets] if isinstance(targets, (str, Target)) else list(targets)
    machines = [preset(one) if isinstance(one, str) else one for one in listed]
    if not machines:
        raise ValueError("explore targets=[]; allowed: one machine or more")
    return Explorer(loaded, {one.name: one for one in machines}, data)


class Explorer(widgets.VBox):
    """What `explore` shows. `machine` is the one in sight, `answer` its Dataset, `designs` that of
    all pinned ones over `design`, `code` the program behind it.
    """

    def __init__(self, model: Any, machines: dict[str, Target], data: Any):
        self.model, self.machines, self.data = model, machines, data
        self._answers: Points = OrderedDict()
        self._pinned: dict[str, xr.Dataset] = {}
        self._moved: dict[str, Any] = {}
        self._build()
        super().__init__(
            [self._head, self._settings, self._row, self._table, self._picture, self._more]
        )
        self._machine_chosen()

    def _build(self) -> None:
        """The widgets that stay whatever machine is chosen."""
        wide = widgets.Layout(width="24em")
        self._name = widgets.Dropdown(options=list(self.machines), description="machine")
        self._at = widgets.SelectionSlider(options=TIMES, description="time", layout=wide)
        self._traffic = widgets.Dropdown(options=TRAFFIC, value=TRAFFIC[-1], description="load")
        self._seed = widgets.BoundedIntText(value=0, min=0, max=9999, description="seed")
        self._head = widgets.HBox([self._name, self._at, self._traffic, self._seed])
        self._settings = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap"))
        self._pin = widgets.Button(description="pin this design")
        self._unpin = widgets.Button(description="forget pins")
        self._label = widgets.HTML()
        self._row = widgets.HBox([self._pin, self._unpin, self._label])
        self._table, self._picture = widgets.HTML(), widgets.Image(format="png")
        self._picture.layout.width = "650px"
        self._code = widgets.Textarea(layout=widgets.Layout(width="auto", height="10em"))
        folded = [widgets.HBox(), self._code]
        self._more = widgets.Accordion(folded, titles=["more settings", "the program behind it"])
        self._name.observe(lambda _: self._machine_chosen(), "value")
        for each in (self._at, self._traffic, self._seed):
            each.observe(lambda _: self._show(), "value")
        self._pin.on_click(lambda _: self.pin())
        self._unpin.on_click(lambda _: self.forget())

    def _machine_chosen(self) -> None:
        """New sliders for the fields of the machine that was chosen."""
        self._moved, self._sliders = {}, {}
        for setting in settings(self.machines[self._name.value]):
            self._sliders[setting.path] = self._slider(setting)
        every = list(self._sliders.values())
        self._settings.children = every[:SHOWN]
        more = widgets.HBox(every[SHOWN:], layout=widgets.Layout(flex_flow="row wrap"))
        self._more.children = [more, self._code]
        self._show()

    def _slider(self, setting: Setting) -> Any:
        named = [(_shown(value, setting.unit), value) for value in setting.options]
        if setting.now is None:
            named.insert(0, ("as it is", None))
        numeric = not isinstance(setting.options[-1], str)
        kind = widgets.SelectionSlider if numeric else widgets.Dropdown
        extra = {"continuous_update": False} if numeric else {}
        slider = kind(options=named, value=setting.now, description=setting.path, **extra)
        slider.style.description_width = "9em"
        slider.observe(lambda change: self._setting_moved(setting, change["new"]), "value")
        return slider

    def _setting_moved(self, setting: Setting, value: Any) -> None:
        self._moved.pop(setting.path, None)
        if value != setting.now:
            self._moved[setting.path] = value
        self._show()

    def move(self, name: str, value: Any) -> None:
        """Move a slider as a hand would: "machine", "time", "load", "seed", or a setting's path.

        KeyError for a name that no slider has; ValueError for a value that it does not offer. In
        the unit of the slider.
        """
        heads = {"machine": self._name, "time": self._at, "load": self._traffic, "seed": self._seed}
        every = {**heads, **self._sliders}
        if name not in every:
            raise KeyError(f"explore has no slider {name!r} (sliders: {', '.join(every)})")
        offered = {option[1] for option in getattr(every[name], "_options_full", ())}
        if offered and value not in offered:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(map(str, offered))}")
        every[name].value = value

    @property
    def machine(self) -> Target:
        """The machine in sight."""
        return changed(self.machines[self._name.value], self._moved)

    @property
    def answer(self) -> xr.Dataset:
        """What `pim.operating_points` answers of the machine in sight. Units: s and J."""
        machine, at, seed = self.machine, self._at.value, self._seed.value
        identity = digest((machine, at, seed))
        if identity not in self._answers:
            with progress("explore", 1, show=False):  # a bar has no cell to be drawn in
                self._answers[identity] = operating_points(
                    self.model, machine, self.data, at=at, seed=seed, chips="needed"
                )
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(identity)
        return self._answers[identity]

    @property
    def designs(self) -> xr.Dataset:
        """The pinned designs and the one in sight, over `design`, at the load that is chosen."""
        every = {**self._pinned, NOW: self._condensed()}
        names = xr.DataArray(list(every), dims="design", name="design")
        return xr.concat(every.values(), names, join="outer", combine_attrs="override")

    def _condensed(self) -> xr.Dataset:
        """The answer at the load that is chosen, energies summed."""
        one = self.answer.sel(traffic=self._traffic.value)
        kept = {
            name: one[name].sum("component") if "component" in one[name].dims else one[name]
            for name in ("energy", "energy_low", "energy_high", "latency", "rate", "assumed_share")
        }
        for metric in metrics(one):
            kept.update(
                {n: one[n] for n in (metric, metric + "_low", metric + "_high") if n in one}
            )
        small = xr.Dataset(kept, attrs=one.attrs).reset_coords(drop=True)
        return small.assign_coords(stage=self.machine.stage)

    @property
    def code(self) -> str:
        """The program that computes `answer` without a widget."""
        how = f"at={self._at.value!r}, seed={self._seed.value}, chips='needed'"
        return "\n".join(
            [
                "import pimlab as pim",
                code(self._name.value, self._moved),
                f"answer = pim.operating_points(model, machine, data, {how})",
                f"answer.sel(traffic={self._traffic.value!r})",
            ]
        )

    def pin(self) -> None:
        """Keep the design in sight in the figure, beside those to come."""
        moved = ", ".join(f"{path}={_shown(value, '')}" for path, value in self._moved.items())
        name = f"{self._name.value} {moved}".strip()
        self._pinned[f"{name}, {self._at.value}" if self._at.value != TIMES[0] else name] = (
            self._condensed()
        )
        self._show()

    def forget(self) -> None:
        """Take all pinned designs out of the figure."""
        self._pinned = {}
        self._show()

    def _show(self) -> None:
        """Compute and draw; what a machine refuses stands where the numbers would."""
        self._label.value = "computing ..."
        try:
            small = self._condensed()
            self._table.value = summary(small).to_html(border=0)
            if metrics(small):
                self._picture.value = png(designs(self.designs))
            self._label.value = f"one request every {si(1 / float(small.rate), 's', 3)}"
        except (ValueError, TypeError, np.linalg.LinAlgError) as refused:
            self._label.value = f"<b>{_escaped(str(refused))}</b>"
        self._code.value = self.code


def _shown(value: Any, unit: str) -> str:
    """A value as a slider shows it."""
    return si(value, unit, 3) if isinstance(value, float) and unit else f"{value}"


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)
