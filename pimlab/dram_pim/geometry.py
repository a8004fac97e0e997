"""How is a PIM memory built? Channels, bank groups, banks, rows and columns, and the units beside
pairs of banks.
"""

from __future__ import annotations

from pimlab.values import Value, integer


class Banks(Value):
    """Channels of banks that a host reads and writes through pins."""

    channels: int = integer(1, 4096, doc="channels that work in lockstep")
    ranks: int = integer(1, 8, doc="ranks a channel; rank 0 computes")
    banks: int = integer(2, 64, doc="banks a channel")
    bank_groups: int = integer(1, 16, doc="bank groups a channel")
    rows: int = integer(4, 1 << 24, doc="rows a bank")
    columns: int = integer(1, 1 << 16, doc="column accesses a row")
    access_bits: int = integer(8, 1 << 16, doc="bits of one column access")

    def check(self) -> None:
        """Banks come in groups."""
        if self.banks % self.bank_groups:
            raise ValueError(
                f"{type(self).__name__} banks={self.banks} is not a multiple of "
                f"bank_groups={self.bank_groups}"
            )

    @property
    def capacity(self) -> int:
        """Bytes of the computing rank of all channels (unit: bytes)."""
        return self.channels * self.banks * self.rows * self.columns * self.access_bits // 8


class BankPairs(Banks):
    """Units of `lanes` multipliers, each beside a pair of banks (even and odd), that read a column
    in lockstep.

    A matrix lies in tiles: `outputs_per_tile` outputs over all channels, units and result
    registers, by `inputs_per_tile` inputs, `registers` columns of `lanes`. Even tiles lie in even
    banks, odd tiles in odd banks.
    """

    units: int = integer(1, 64, doc="PIM units a channel")
    lanes: int = integer(1, 1024, doc="multipliers a unit")
    registers: int = integer(1, 64, doc="input registers a unit, and as many result registers")

    def check(self) -> None:
        """Every unit has a pair of banks."""
        super().check()
        if self.banks != 2 * self.units:
            raise ValueError(
                f"{type(self).__name__} units={self.units} with banks={self.banks}; allowed: one "
                "unit for each pair of banks"
            )
        if self.access_bits % self.lanes:
            raise ValueError(
                f"{type(self).__name__} lanes={self.lanes} with access_bits={self.access_bits}; "
                "allowed: lanes that divide the bits of an access"
            )

    @property
    def outputs_per_tile(self) -> int:
        """Outputs that one tile holds over all channels (unit: outputs)."""
        return self.channels * self.units * self.registers

    @property
    def inputs_per_tile(self) -> int:
        """Inputs that one tile holds (unit: inputs)."""
        return self.lanes * self.registers

    @property
    def reads_per_tile(self) -> int:
        """Column reads of one tile in each channel, all banks of one parity at once (unit:
        reads).
        """
        return self.registers * self.registers

    @property
    def weight_bits(self) -> int:
        """Bits of one weight as it lies in the banks (unit: bits)."""
        return self.access_bits // self.lanes

    @property
    def elements_per_step(self) -> int:
        """Elements that one pass over the registers of every unit computes, even and odd banks
        together.
        """
        return 2 * self.channels * self.units * self.lanes * self.registers

    def tiles(self, outputs: int, inputs: int) -> tuple[int, int, int]:
        """Tiles of outputs, and tiles of inputs in even and in odd banks (unit: tiles); ValueError
        when the rows do not hold them.
        """
        out, ins = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        needed, free = self._rows_of(outputs, inputs), self.rows // 2
        if needed > free:
            raise ValueError(
                f"a {inputs} x {outputs} matrix needs {needed} rows a bank; {free} of {self.rows} "
                "hold weights"
            )
        return out, (ins + 1) // 2, ins // 2

    def _rows_of(self, outputs: int, inputs: int) -> int:
        """Rows of each bank that a matrix takes up, padding included."""
        out, ins = -(-outputs // self.outputs_per_tile), -(-inputs // self.inputs_per_tile)
        return -(-out * -(-ins // 2) * self.reads_per_tile // self.columns)

    def occupancy(self, outputs: int, inputs: int) -> float:
        """Share of the rows for weights that a matrix takes up (unit 1)."""
        return self._rows_of(outputs, inputs) / (self.rows // 2)

    def macs_done(self, outputs: int, inputs: int, batch: int) -> int:
        """Multiply-accumulates of `batch` products, padding included (unit: MACs)."""
        out, even, odd = self.tiles(outputs, inputs)
        return out * batch * (even + odd) * self.outputs_per_tile * self.inputs_per_tile
