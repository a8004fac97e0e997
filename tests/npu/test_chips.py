"""Is every NPU of the catalogue a machine, in each format it has a peak for, with where its numbers came from?"""

from pathlib import Path

import pytest

from pimlab import catalogue
from pimlab.npu.chips import chip, chips, peaks

EVERY = [(name, format) for name in chips() for format in peaks(catalogue.entry("npu", name))]


@pytest.mark.parametrize(("name", "format"), EVERY)
def test_the_peak_of_every_format_is_the_published_one(name, format):
    """A MAC is two operations; arrays are whole, so a peak may be missed by the last array's share."""
    machine = chip(name, format)
    published = peaks(catalogue.entry("npu", name))[format]
    assert machine.peak() == pytest.approx(published, rel=0.06)
    assert machine.arithmetic.weights == machine.arithmetic.activations == format


def test_another_format_runs_at_the_ratio_of_the_peaks():
    rates = peaks(catalogue.entry("npu", "a100"))
    first, other = chip("a100", "fp16"), chip("a100", "int8")
    assert other.array.rate / first.array.rate == pytest.approx(rates["int8"] / rates["fp16"])
    assert (other.array.rows, other.array.cols) == (first.array.rows, first.array.cols)


def test_every_field_that_a_file_gives_names_its_place():
    warboy, entry = chip("warboy"), catalogue.entry("npu", "warboy")
    origins = {origin.field: origin for origin in warboy.origins}
    assert origins["node"].sources == entry["node"].sources
    assert origins["memory.bandwidth"].value == entry["dram_bandwidth"].value
    assert {"node", "voltage", "lanes", "limit", "array", "memory.dram"} <= origins.keys()


def test_a_cache_keeps_activations_and_no_weights():
    """L4 and L40S run ResNet-50 faster than any chip could that wrote its maps to DRAM (MLPerf v4.1)."""
    gpu = chip("a100").memory
    assert (gpu.weights_in, gpu.activations_in, gpu.prefetch) == ("dram", "sram", False)
    assert gpu.batches == "whole"


def test_constants_of_a_family_come_with_their_sources():
    lent, lender = chip("h200", "fp16"), chip("h100", "fp16")
    assert lent.efficiency == lender.efficiency
    assert "vidur" in lent.sources
    origins = {origin.field: origin for origin in lent.origins}
    assert origins["efficiency"].where == "h100"


def test_unknown_names_and_formats_are_told_the_nearest():
    with pytest.raises(ValueError, match="warboy"):
        chip("warbo")
    with pytest.raises(ValueError, match=r"warboy: format.*int8"):
        chip("warboy", "int7")


@pytest.mark.parametrize(("old", "new", "text"), [
    ('value  = "64 TOPS"', "value  = -3", r"\[peak.int8\] value='-3' is no peak; allowed: op"),
    ('value  = "64 TOPS"', 'value  = "0 TOPS"', r"\[peak.int8\] value='0 TOPS' is no peak"),
    ('value  = "64 TOPS"', 'value  = "64 W"', r"\[peak.int8\] value='64 W' is no peak"),
    ("[peak.int8]", "[peak.itn8]", r"\[peak.itn8\]: .*did you mean 'int8'"),
])  # fmt: skip
def test_what_is_no_peak_is_refused(old, new, text):
    written = (Path(catalogue.__file__).parent / "npu" / "warboy.toml").read_text()
    assert old in written
    entry = catalogue.parse("mine.toml", written.replace(old, new, 1))
    with pytest.raises(catalogue.CatalogueError, match=text):
        peaks(entry)
