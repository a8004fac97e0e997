"""How is a PIM memory built? Channels, banks, units and registers, and how a matrix lies in them."""

from __future__ import annotations

from pimlab.catalogue import entry
from pimlab.values import Value, integer


class BankPim(Value):
    """Units of `lanes` multipliers, each beside a pair of banks (even and odd), that read a column in lockstep.

    A matrix lies in tiles: `outputs_per_tile` outputs over all channels, units and result registers, by
    `inputs_per_tile` inputs, `registers` columns of `lanes`. Even tiles lie in even banks, odd tiles in odd banks.
    """

    channels: int = integer(1, 4096, doc="channels that work in lockstep")
    ranks: int = integer(1, 8, doc="ranks a channel; rank 0 computes")
    banks: int = integer(2, 64, doc="banks a channel")
    bank_groups: int = integer(1, 16, doc="bank groups a channel")
    rows: int = integer(4, 1 << 24, doc="rows a bank")
    columns: int = integer(1, 1 << 16, doc="column accesses a row")
    access_bits: int = integer(8, 1 << 16, doc="bits of one column access")
    units: int = integer(1, 64, doc="PIM units a channel")
    lanes: int = integer(1, 1024, doc="multipliers a unit")
    registers: int = integer(1, 64, doc="input registers a unit, and as many result registers")

    def check(self) -> None:
        """Banks come in groups, and every unit has a pair of banks."""
        if self.banks % self.bank_groups:
            raise ValueError(f"BankPim banks={self.banks} is not a multiple of bank_groups={self.bank_groups}")
        if self.banks != 2 * self.units:
            raise ValueError(f"BankPim units={self.units} with banks={self.banks}; allowed: one unit for each pair of banks")

    @property
    def outputs_per_tile(self) -> int:
        """Outputs that one tile holds over all channels."""
        return self.channels * self.units * self.registers

    @property
    def inputs_per_tile(self) -> int:
        """Inputs that one tile holds."""
        return self.lanes * self.registers

    @property
    def reads_per_tile(self) -> int:
        """Column reads of one tile in each channel, all banks of one parity at once."""
        return self.registers * self.registers

    def tiles(self, outputs: int, inputs: int) -> tuple[int, int, int]:
        """Tiles of outputs, and tiles of inputs in even and in odd banks; ValueError when the rows do not hold them."""
        out, ins = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        needed, free = -(-out * (-(-ins // 2)) * self.reads_per_tile // self.columns), self.rows // 2
        if needed > free:
            raise ValueError(f"a {inputs} x {outputs} matrix needs {needed} rows a bank; {free} of {self.rows} hold weights")
        return out, (ins + 1) // 2, ins // 2


def hbm_pim() -> BankPim:
    """The organisation of HBM-PIM (catalogue `pim/hbm-pim`)."""
    table = entry("pim", "hbm-pim")
    return BankPim(**{field: int(table[field].value) for field in BankPim.fields()})
