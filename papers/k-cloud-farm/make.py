"""K-Cloud's farms: what do the published petaflops take, and what do the three stages carry?

Arithmetic turns published petaflops into cards, racks and megawatts. The roadmap plans the farm of
all three periods at the least cost under the published rules, for services of the four fields whose
traffic is assumed. `python papers/k-cloud-farm/make.py` writes the figures and the tables.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab import catalogue, farm, plot
from pimlab.plot.style import for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("k-cloud-farm")
PF = 1e15
SUPPLIES = (
    ("SAPEON for NHN Cloud", "sapeon", ("x220", "x330")),
    ("Rebellions, first year", "rebellions.first_year", ("atom",)),
    ("Rebellions, third year", "rebellions.third_year", ("atom", "atom-max")),
    ("whole plan", "planned", ("warboy", "rngd", "rebel")),
    ("farm as built", "built", ("rngd", "atom-max")),
)
"""Who supplies what, where the catalogue has it, and cards it could be."""
OFFERS = ("warboy", "x220", "atom", "rngd", "rebel", "rngd-hbm-pim", "atom-aim", "analog-pcm")
QUICK = ("warboy", "atom", "rngd", "analog-pcm")


def services() -> list[farm.Service]:
    """One service a field and a language model for all; traffic is assumed."""
    common = {"since": 2025, "growth": 0.3, "day": farm.DAY}
    rows = (
        ("safety: cameras", "safety", "fashion-cnn", "20 MHz", "machine", 0.5),
        ("health: screening", "health", "cancer-mlp", "30 MHz", "card", 0.0),
        ("education: digits", "education", "digits-mlp", "30 MHz", "container", 0.0),
        ("defence: files", "defence", "magika", "1 MHz", "card", 1.0),
    )
    found = [
        farm.Service(name=name, field=field, model=model, rate=rate, latency="20 ms",
                     isolation=isolation, cloud_loss=loss, **common)
        for name, field, model, rate, isolation, loss in rows
    ]  # fmt: skip
    chat = farm.Service(
        name="interpreter", field="education", model="llama2-7b", rate="1 kHz", input=512,
        output=128, ttft="1 s", tpot="100 ms", cloud_loss=0.5, **common,
    )  # fmt: skip
    return [*found, chat]


def clouds() -> list[farm.Cloud]:
    """Three operators; power and racks are assumed, ample."""
    return [
        farm.Cloud(name=name, power="2 MW", racks=150, delay="5 ms")
        for name in ("nhn", "kt", "naver")
    ]


def arithmetic() -> xr.Dataset:
    """cards, racks, kW and million won (supply, card) of what is published in petaflops."""
    table = catalogue.entry("farm", "k-cloud")
    site = farm.Cloud(name="site", power="100 MW", racks=10_000)
    rows = []
    for name, key, cards in SUPPLIES:
        for card in cards:
            one, wanted = farm.offer(card), table[key].value
            count = math.ceil(wanted / one.operations)
            racks = math.ceil(count / site.rack.cards(one))
            rows.append((name, card, wanted / PF, count, racks, count * site.watts(one) / 1e3,
                         count * one.price.value / 1e6))  # fmt: skip
    names = ("petaflops", "cards", "racks", "kilowatts", "million_won")
    return xr.Dataset(
        {n: ("supply", [row[i + 2] for row in rows]) for i, n in enumerate(names)},
        coords={"supply": [f"{row[0]}: {row[1]}" for row in rows]},
    )


def sums() -> dict[str, float]:
    """What published parts add up to, in PF, and money, in 100 million won a petaflop."""
    table = {key: c.value for key, c in catalogue.entry("farm", "k-cloud").items()}
    nhn, kt = table["nhn.private"] + table["nhn.public"], table["kt.private"] + table["kt.public"]
    return {
        "nhn": nhn / PF,
        "kt": kt / PF,
        "rest": (table["planned"] - nhn - kt) / PF,
        "doubled": 2 * table["first_plan"] / PF,
        "built share": table["built"] / table["planned"],
        "budget later": (table["budget.total"] - table["budget.first_stage"]) / 1e9,
        "stages": (table["budget.second_stage"] + table["budget.third_stage"]) / 1e9,
    }


def compute(quick: bool = False) -> xr.Dataset:
    """The arithmetic, the sums, and the roadmap's shares (with fewer offers and
    services at the quick size)."""
    names = QUICK if quick else OFFERS
    asked, cards = services(), [farm.offer(name) for name in names]
    asked = [one for one in asked if not quick or one.model.endswith("-mlp")]
    able, _ = farm.abilities(asked, cards, delay={one.name: 5e-3 for one in asked})
    cheap, frugal = (
        farm.roadmap(asked, cards, clouds(), farm.k_cloud(), abilities=able, objective=objective)
        for objective in ("cost", "energy")
    )
    study = cheap.assign({f"frugal_{name}": frugal[name] for name in frugal.data_vars})
    ds = xr.merge([study, arithmetic()], combine_attrs="override")
    ds["sum"] = ("part", list(sums().values()))
    own = {s for c in catalogue.entry("farm", "k-cloud").values() for s in c.sources}
    cited = ",".join(sorted({*study.attrs["sources"].split(","), *own}))
    return ds.assign_coords(part=list(sums())).assign_attrs(sources=cited)


def found(ds: xr.Dataset, row: published.Row) -> float:
    """Ours for a row of targets.csv."""
    return float(ds["sum"].sel(part=row.condition.split(":")[0]))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Cards, racks and kilowatts; shares of the stages; what decides."""
    lines = [
        [
            str(name), f"{float(one.petaflops):g}", f"{int(one.cards)}", f"{int(one.racks)}",
            f"{float(one.kilowatts):.0f}", f"{float(one.million_won):.0f}",
        ]
        for name, one in ((s, ds.sel(supply=s)) for s in ds.supply.values)
    ]  # fmt: skip
    head = ["supply: card", "PF", "cards", "racks", "kW at the meter", "million won, assumed price"]
    return {
        "arithmetic": published.markdown(head, lines),
        "stages": _stages(ds),
        "frugal": _stages(_frugal(ds)),
        "decides": _decides(ds),
    }


def _frugal(ds: xr.Dataset) -> xr.Dataset:
    """The shares of the farm of least energy, under the names of those of least cost."""
    names = ("share", "share_low", "share_high")
    return ds[[f"frugal_{n}" for n in names]].rename({f"frugal_{n}": n for n in names})


def _stages(ds: xr.Dataset) -> str:
    lines = []
    for period in ds.period.values:
        for stage in ds.stage.values:
            one = ds.sel(period=period, stage=stage)
            cells = [
                f"{float(one.share.sel(carried=c)):.0%} ({float(one.share_low.sel(carried=c)):.0%} "
                f"to {float(one.share_high.sel(carried=c)):.0%})"
                for c in ds.carried.values
            ]
            lines.append([str(period), str(int(stage)), *cells])
    return published.markdown(["period", "stage", *map(str, ds.carried.values)], lines)


def _decides(ds: xr.Dataset) -> str:
    nominal = float(ds.total.sel(carried="cost").sum())
    swing = abs(ds.spent - nominal).max("end").fillna(0.0).values
    lines = [
        [
            str(ds.assumption.values[i]),
            *(f"{float(ds.spent[i, j]) / 1e9:.2f}" for j in (0, 1)),
            *(f"{float(ds.later[i, j]):.0%}" for j in (0, 1)),
        ]
        for i in np.argsort(-swing)
    ]
    head = [
        "number",
        "cost if low (Gwon)",
        "if high",
        "stages 2 and 3 in 2029-30 if low",
        "if high",
    ]
    return published.markdown(head, lines)


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Shares of the stages in the farm of least energy."""
    return plot.stage_shares(_frugal(ds))


def main() -> None:
    """Compute, write the figures and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    save(plot.tornado(ds), OUT.with_name("tornado"))
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
