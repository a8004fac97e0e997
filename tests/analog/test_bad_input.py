"""Every wrong input of a crossbar is refused with its name, its value and what is allowed."""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Refresh, Wires, device, effective_conductance, macro, nonlinear_currents, wire_currents

PCM = device("pcm-joshi2020")
W, X, G = np.ones((3, 2), np.float32), np.ones((1, 3), np.float32), np.full((3, 2), 1e-5)
BENT = Crossbar(cell=device("reram-milo2021"), costs=macro("generic-22nm").but(read_voltage="0.8 V"))

CASES = {
    "conductance above the range": (lambda: PCM.program(np.array([30e-6])), r"3e-05 S is outside 0 S\.\.25 uS"),
    "conductance below the range": (lambda: PCM.program(np.array([-1e-6])), r"-1e-06 S is outside 0 S\.\.25 uS"),
    "conductance not finite": (lambda: PCM.program(np.array([np.nan])), "nan S is outside"),
    "negative conductance read": (lambda: PCM.read(np.array([-1e-6])), "0 S or more; smallest is -1e-06"),
    "negative wire resistance": (lambda: effective_conductance(G, -1, 1), r"r_in=-1 is outside 0\.\.inf ohm"),
    "negative sense resistance": (lambda: wire_currents(G, X[0], 1, 1, rs_out=-2), r"rs_out=-2 is outside 0\.\.inf ohm"),
    "negative cell in an array": (lambda: effective_conductance(-G, 1, 1), r"g\[0, 0\]=-1e-05 S .* 0 or more"),
    "an array that cannot hold a layer": (lambda: Crossbar(rows=2, capacity=1).program(W), r"\(3, 2\) take 2 x 1 arrays; allowed: 1"),
    "ADC range of zero": (lambda: ADC(bits=4, range="fixed", margin=0), "margin=0 is outside above 0"),
    "ADC of no bits": (lambda: ADC(bits=0), "for no converter write adc=None"),
    "time before programming": (lambda: PCM.read(np.array([1e-6]), at=-1), "at=-1 is not a time; allowed: 0 s or later"),
    "time in words before programming": (lambda: Crossbar().program(W).matmul(X, at="-1 h"), "at='-1 h' is not a time"),
    "refresh without a period": (lambda: Refresh(period=0), "period=0 is outside above 0 s"),
    "a circuit beyond double precision": (
        lambda: effective_conductance(np.full((4, 4), 1e300), 1e10, 1e10),
        "beyond double precision: largest resistance",
    ),
    "a falling I-V curve": (lambda: nonlinear_currents(G, 5 * X[0], Wires(r_in=1, r_out=1), a3=-1e-5), "must rise with voltage"),
    "a voltage outside the I-V curve": (lambda: BENT.program(W).matmul(X), "0.8 V is outside its I-V curve; allowed: up to 0.5 V"),
    "negative inputs on unsigned drivers": (lambda: Crossbar(dac=DAC(bits=4, codes="unsigned")).program(W).matmul(-X), "cannot drive x=-1"),
    "inputs that are not finite": (lambda: Crossbar().program(W).matmul(np.nan * X), "3 non-finite values"),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_refused_with_value_and_limit(name):
    call, message = CASES[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("given", "meant"), [({"adc_bit": 6}, "adc"), ({"row": 6}, "rows"), ({"devise": 2}, "devices"), ({"wire": None}, "wires")]
)
def test_a_misspelt_part_answers_with_the_nearest(given, meant):
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        Crossbar(**given)
