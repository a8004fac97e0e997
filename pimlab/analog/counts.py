"""How often does each part of a macro work in one product? Counts that a test can check by hand."""

from __future__ import annotations

from pimlab.analog.converters import ADC, DAC
from pimlab.analog.design import SUM_BITS, ArrayDesign
from pimlab.machine.protocol import MacOp


def counts(design: ArrayDesign, op: MacOp) -> dict[str, int]:
    """Event -> count of one inference of `op` on `design` (unit: events), whether or not a macro
    prices it.

    A slot is a unit time of the input: a level, a bit that is sent as a pulse, a clock of a pulse
    width; `MacroCosts.phases` reads follow each other for one product. "row", "column", "cell" and
    "array slot" count what is used in a slot: word lines, converted columns, cells (pairs, in
    differential coding), arrays; with `idle="on"` those that no weight lies on as well. "word line
    slot" and "cell row slot" are the same word lines: what switches along them has a price of its
    own.
    """
    down, across = design.arrays(op)
    reads = op.groups * op.m * design.steps
    inputs, outputs = op.groups * op.m * op.k, op.groups * op.m * op.n
    each = design.conversions_a_weight
    sums = down * each * design.steps
    references = -(-op.n // design.cols) if design.coding == "offset column" else 0
    columns = down * design.columns_a_weight * (op.n + references)
    converted = down * each * (op.n + references)
    lines = design.word_lines(op) * across
    found = {
        "array read": reads * down * across,
        "digital add": outputs * (sums - 1) + (outputs * sums if references else 0),
        "digital scale": outputs,
        "buffer bit": inputs * design.input_bits * across + outputs * SUM_BITS,
        "network bit": inputs * design.input_bits * across + outputs * SUM_BITS * down,
    }
    if design.dac is not None:
        found["DAC conversion"] = reads * lines
    if design.adc is not None:
        found |= {"ADC conversion": reads * converted, "sample": reads * converted}
    return found | _slots(design, op, down * across, lines, columns, converted)


def _slots(
    design: ArrayDesign, op: MacOp, arrays: int, lines: int, columns: int, converted: int
) -> dict[str, int]:
    """Counts by unit times, by steps of the converters and by integrations of `converted`
    columns.
    """
    products = op.groups * op.m
    slots = products * slots_a_product(design)
    across = design.arrays(op)[1]
    cells = lines // across * (columns // design.arrays(op)[0])
    if design.costs.idle == "on":
        lines, columns, cells = _all_on(design, arrays)
    return {
        "array slot": slots * arrays,
        **dict.fromkeys(("row slot", "word line slot", "cell row slot"), slots * lines),
        "column slot": slots * columns,
        "cell slot": slots * cells,
        "ADC step": products * converted * adc_steps(design.dac, design.adc),
        "integration": products * converted * integrations(design.dac),
    }


def _all_on(design: ArrayDesign, arrays: int) -> tuple[int, int, int]:
    """Word lines, columns and cells of whole arrays."""
    rows, columns = design.rows, design.array_columns
    return arrays * rows, arrays * columns, arrays * rows * columns


def slots_a_product(design: ArrayDesign) -> int:
    """Unit times of all reads of one product (unit: slots)."""
    return design.costs.phases * (1 if design.dac is None else design.dac.unit_times)


def integrations(dac: DAC | None) -> int:
    """Integrations of one product on one column: 2^p - 1 for a step of p bits that are weighted in
    the analog domain, one a step otherwise (unit: integrations).
    """
    if dac is None:
        return 1
    if dac.accumulate == "digital":
        return dac.steps
    return sum(2**bits - 1 for bits in dac.step_bits)


def adc_steps(dac: DAC | None, adc: ADC | None) -> int:
    """Bits decided in all conversions of one product on one column (unit: steps). Where the bits of
    a step are weighted in the analog domain, the sum of the lower bits is read less finely, by as
    many bits as it counts for less.
    """
    if adc is None:
        return 0
    if dac is None or dac.accumulate == "digital":
        return adc.bits * (1 if dac is None else dac.steps)
    before = [sum(dac.step_bits[:index]) for index in range(dac.steps)]
    return sum(max(adc.bits - bits, 1) for bits in before)
