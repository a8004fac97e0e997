"""Every wrong input of a crossbar is refused with its name, its value and what is allowed."""

import numpy as np
import pytest

from pimlab.analog import (
    ADC,
    DAC,
    Crossbar,
    Refresh,
    Wires,
    adc_energy,
    array_area,
    device,
    effective_conductance,
    first_order_loss,
    linearity,
    lossless_bits,
    macro,
    nonlinear_currents,
    programming_energy,
    read_time,
    sampled_voltage,
    sampling_energy,
    settling_time,
    shot_current,
    thermal_current,
    wire_currents,
)
from pimlab.analog.devices import Device, GaussianReadNoise, Relaxation
from pimlab.analog.devices.curves import Polynomial

PCM = device("pcm-joshi2020")
W, X, G = np.ones((3, 2), np.float32), np.ones((1, 3), np.float32), np.full((3, 2), 1e-5)
NONLINEAR = Crossbar(
    cell=device("reram-milo2021"), costs=macro("generic-22nm").but(read_voltage="0.8 V")
)

CASES = {
    "conductance above the range": (
        lambda: PCM.program(np.array([30e-6])),
        r"3e-05 S is outside 0 S\.\.25 uS",
    ),
    "conductance below the range": (
        lambda: PCM.program(np.array([-1e-6])),
        r"-1e-06 S is outside 0 S\.\.25 uS",
    ),
    "conductance not finite": (lambda: PCM.program(np.array([np.nan])), "nan S is outside"),
    "negative conductance read": (
        lambda: PCM.read(np.array([-1e-6])),
        "0 S or more; smallest is -1e-06",
    ),
    "negative wire resistance": (
        lambda: effective_conductance(G, -1, 1),
        r"r_in=-1 is outside 0\.\.inf ohm",
    ),
    "negative sense resistance": (
        lambda: wire_currents(G, X[0], 1, 1, rs_out=-2),
        r"rs_out=-2 is outside 0\.\.inf ohm",
    ),
    "negative cell in an array": (
        lambda: effective_conductance(-G, 1, 1),
        r"g\[0, 0\]=-1e-05 S .* 0 or more",
    ),
    "an array that cannot hold a layer": (
        lambda: Crossbar(rows=2, capacity=1).program(W),
        r"\(3, 2\) take 2 x 1 arrays; allowed: 1",
    ),
    "ADC range of zero": (
        lambda: ADC(bits=4, range="fixed", margin=0),
        "margin=0 is outside above 0",
    ),
    "ADC of no bits": (lambda: ADC(bits=0), "for no converter write adc=None"),
    "time before programming": (
        lambda: PCM.read(np.array([1e-6]), at=-1),
        "at=-1 is not a time; allowed: 0 s or later",
    ),
    "time in words before programming": (
        lambda: Crossbar().program(W).matmul(X, at="-1 h"),
        "at='-1 h' is not a time",
    ),
    "refresh without a period": (lambda: Refresh(period=0), "period=0 is outside above 0 s"),
    "a circuit beyond double precision": (
        lambda: effective_conductance(np.full((4, 4), 1e300), 1e10, 1e10),
        "beyond double precision: largest resistance",
    ),
    "a falling I-V curve": (
        lambda: nonlinear_currents(G, 5 * X[0], Wires(r_in=1, r_out=1), a3=-1e-5),
        "must rise with voltage",
    ),
    "a voltage outside the I-V curve": (
        lambda: NONLINEAR.program(W).matmul(X),
        "0.8 V is outside its I-V curve; allowed: up to 0.5 V",
    ),
    "negative inputs on unsigned drivers": (
        lambda: Crossbar(dac=DAC(bits=4, codes="unsigned")).program(W).matmul(-X),
        "cannot drive x=-1",
    ),
    "inputs that are not finite": (
        lambda: Crossbar().program(W).matmul(np.nan * X),
        "3 non-finite values",
    ),
    "a negative conductance that is warm": (
        lambda: thermal_current(-1e-5, "1 MHz"),
        r"g=-1e-05 is outside 0\.\.inf S",
    ),
    "a temperature below zero": (
        lambda: thermal_current(1e-5, "1 MHz", -300),
        r"temperature=-300 is outside 0\.\.inf K",
    ),
    "a negative bandwidth": (
        lambda: shot_current("1 uA", -1),
        r"bandwidth=-1 is outside 0\.\.inf Hz",
    ),
    "no capacitor": (lambda: sampled_voltage(0), "capacitance=0; allowed: above 0 F"),
    "no full scale": (lambda: sampling_energy(8, 0), "full_scale=0; allowed: above 0 V"),
    "a negative segment": (lambda: first_order_loss(-1, 1e-5, 8), "r=-1 is outside"),
    "a line of no segments": (lambda: settling_time(1, 1e-15, 0), "n=0; allowed: 1 or more"),
    "bits that are no number": (lambda: read_time(np.nan, "1 ns"), "bits=nan is outside"),
    "no rows to tell apart": (lambda: lossless_bits(0, 1, 1), "rows=0; allowed: 1 or more"),
    "less than no cells": (lambda: programming_energy(PCM, -1), "cells=-1; allowed: 0 or more"),
    "read noise beyond the range": (
        lambda: PCM.but(read_noise=GaussianReadNoise(absolute="0.01 S")),
        r"pcm-joshi2020: read sigma=0.01 S somewhere in its range; allowed: 0\.\.2.5e-05 S",
    ),
    "read noise of a million": (
        lambda: PCM.but(read_noise=GaussianReadNoise(relative=1e6)),
        r"read sigma=.* S somewhere in its range; allowed: 0",
    ),
    "a time with more reads than have an address": (
        lambda: Crossbar(cell=PCM).program(np.ones((2, 2)), 0).matmul(np.ones((1, 2)), at=1e30),
        r"at=1e\+30 s; allowed: below",
    ),
    "no converters": (lambda: linearity(ADC(bits=4), converters=0), "converters=0; allowed: 1"),
    "a negative programming error": (
        lambda: PCM.but(programming=PCM.programming.but(sigma=Polynomial(coefficients=(-1e-7,)))),
        r"pcm-joshi2020: programming sigma=-1e-07 S somewhere in its range; allowed: 0\.\.2.5e-05 S",
    ),
    "a programming error beyond the range": (
        lambda: PCM.but(programming=PCM.programming.but(sigma=Polynomial(coefficients=(0.025,)))),
        r"programming sigma=0.025 S .* allowed: 0\.\.2.5e-05 S",
    ),
    "a drift exponent of 50": (
        lambda: PCM.but(drift=PCM.drift.but(mean=Polynomial(coefficients=(50.0,)))),
        r"drift exponent=50 somewhere in its range; allowed: 0\.\.1",
    ),
    "a conductance that grows by a power": (
        lambda: PCM.but(drift=PCM.drift.but(mean=Polynomial(coefficients=(-0.05,)))),
        "drift exponent=-0.05",
    ),
    "1/f noise of nine times the conductance": (
        lambda: PCM.but(read_noise=PCM.read_noise.but(strength=Polynomial(coefficients=(9.0,)))),
        "1/f strength=9",
    ),
    "a spread that shrinks": (
        lambda: Device(
            name="shrinking",
            g_min=0,
            g_max=1e-5,
            drift=Relaxation(
                times=(0.0, 1.0),
                spreads=(Polynomial(coefficients=(1e-6,)), Polynomial(coefficients=(1e-7,))),
                g_reference=1e-5,
            ),
        ),
        "shrinking: Relaxation spread shrinks from 1e-06 S at 0 s to 1e-07 S at 1 s",
    ),
    "columns without an ADC": (
        lambda: array_area("generic-22nm", 8, 8, 0),
        "columns_an_adc=0; allowed: 1 or more",
    ),
}
KINDS = {
    "conductance as text": (
        lambda: PCM.program("10 uS"),
        r"pcm-joshi2020: g_target is <U5 '10 uS'; allowed: an array of real numbers",
    ),
    "complex conductance": (
        lambda: effective_conductance(G * 1j, 1, 1),
        r"(?s)g is complex128 .*; allowed: an array of real numbers",
    ),
    "complex weights": (
        lambda: Crossbar().program(np.ones((2, 2), complex)),
        r"crossbar: weights is complex128",
    ),
    "weights as text": (lambda: Crossbar().program([["1"]]), "crossbar: weights is <U1"),
    "complex inputs": (lambda: Crossbar().program(W).matmul(X * 1j), "crossbar: x is complex64"),
    "inputs as text": (lambda: Crossbar().program(W).matmul([["1"] * 3]), "crossbar: x is <U1"),
    "half a bit of weight": (lambda: lossless_bits(8, 2.5, 1), "weight_bits=2.5 is not an integer"),
    "no effective bits": (lambda: adc_energy(None, "1 MHz", "22 nm"), "enob=None"),
}


@pytest.mark.parametrize("name", KINDS)
def test_another_kind_of_thing_is_refused_by_name(name):
    call, message = KINDS[name]
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_refused_with_value_and_limit(name):
    call, message = CASES[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"adc_bit": 6}, "adc"),
        ({"row": 6}, "rows"),
        ({"devise": 2}, "devices"),
        ({"wire": None}, "wires"),
    ],
)
def test_a_misspelt_part_answers_with_the_nearest(given, meant):
    with pytest.raises(TypeError, match=f"did you mean '{meant}'"):
        Crossbar(**given)
