"""Where does every published constant come from? From one TOML file per publication or product,
checked on loading.

`entry("devices", "pcm-hermes")["g_max"]` is a `Constant` in SI. A number without a source, a place
in it and a status is refused; so are an assumed or derived number without a reason and a source
that no bibliography holds.

A file has text at its top (`title`, `model`, `source`, `note`, ...) and one table a constant:

    [g_max]
    value  = "10.35 uS"      # as printed; a list is a row of coefficients
    low    = "10 uS"         # optional
    high   = "11 uS"         # optional
    source = "legallo2023"   # optional where the file's own `source` holds
    where  = "Table 1"
    status = "published"     # published | digitised | measured | derived | assumed
    reason = "..."           # needed for derived and assumed

A dotted table `[energy.adc]` is the constant "energy.adc". `measured` is one's own measurement: it
says `where` (chip, bench, date), and needs no source. One's own files lie in a folder of one's own
(`pimlab.add_catalogue`, or the environment variable PIMLAB_CATALOGUE), hold the same tables, and
may bring sources in a table [sources] or in BibTeX beside them.
"""

from pimlab.catalogue.bibliography import sources
from pimlab.catalogue.entries import Entry, add_catalogue, entry, load, naming, parse
from pimlab.catalogue.places import VARIABLE, CatalogueError, kinds, names, state

__all__ = [
    "VARIABLE",
    "CatalogueError",
    "Entry",
    "add_catalogue",
    "entry",
    "kinds",
    "load",
    "names",
    "naming",
    "parse",
    "sources",
    "state",
]
