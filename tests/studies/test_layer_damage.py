"""Is the layer that breaks a model's outputs told from the others, and what moves to the host first?"""

import pimlab as pim
from pimlab.analog.design import IDEAL_CELL
from pimlab.analog.devices.curves import Polynomial
from pimlab.analog.devices.programming import ProgrammingError
from pimlab.studies.layer_damage import by_worth, damages, hosted

MODEL, DATA = pim.load_model("digits-mlp"), pim.load_data("digits", limit=60)
LAYERS = ("fc1", "fc2")
ERROR = ProgrammingError(sigma=Polynomial(coefficients=(5e-6,)), g_reference=1e-5)
COARSE = pim.Crossbar(name="coarse", cell=IDEAL_CELL.but(name="coarse", programming=ERROR))


def test_a_layer_in_exact_cells_is_not_damaged_and_one_in_coarse_cells_is():
    exact = pim.Crossbar(name="exact", cell=IDEAL_CELL)
    plan = pim.Plan(
        model=MODEL, machines=[COARSE, exact, pim.target("warboy")], owners={"fc1": "exact"}
    )
    damage = damages(plan, DATA, 0.0, 0)
    assert damage["fc1"] < 1e-10
    assert damage["fc2"] > 1e-3


def test_layers_move_by_damage_where_that_saves_energy_and_by_damage_a_joule_elsewhere():
    npu = pim.target("warboy")
    cheap, dear = (
        pim.Plan(model=MODEL, machines=machines)
        for machines in ([npu.but(name="slow", static_power=500.0), npu], [COARSE, npu])
    )
    assert by_worth(cheap, {"fc1": 0.1, "fc2": 0.2}) == ["fc2", "fc1"]
    joules = {name: float(pim.run(MODEL, hosted(dear, [name])).energy.sum()) for name in LAYERS}
    added = {name: joules[name] - float(pim.run(MODEL, dear).energy.sum()) for name in LAYERS}
    assert min(added.values()) > 0
    even = {name: value * 3.0 for name, value in added.items()}  # the same damage a joule
    for first in LAYERS:
        assert by_worth(dear, {**even, first: even[first] * 1.2})[0] == first
