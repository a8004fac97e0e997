"""AiM devices behind a CXL switch: a decoder that runs on them alone, as in CENT (ASPLOS 2025)."""

from __future__ import annotations

from pimlab.dram_pim.cxl.devices import CxlDevices, cxl_devices
from pimlab.dram_pim.cxl.rack import CxlRack, cxl_rack
from pimlab.dram_pim.cxl.switch import Switch
from pimlab.dram_pim.cxl.units import NearUnits

__all__ = ["CxlDevices", "CxlRack", "NearUnits", "Switch", "cxl_devices", "cxl_rack"]
