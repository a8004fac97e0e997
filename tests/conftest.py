"""What every test starts from: Ctrl-C is heard, also where the tests run in the background, and
nothing draws how far it is.
"""

import os

import interrupts


def pytest_configure():
    interrupts.hear()
    os.environ["PIMLAB_PROGRESS"] = "0"  # notebooks and commands started by tests inherit it
