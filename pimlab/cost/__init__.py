"""What does a count of events cost? Events x prices -> energy by component, with low, high and the
assumed share.
"""

from pimlab.cost.prices import Energy, Price, Prices, price

__all__ = ["Energy", "Price", "Prices", "price"]
