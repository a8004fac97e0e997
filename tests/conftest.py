"""What every test starts from: Ctrl-C is heard, also where the tests run in the background."""

import interrupts


def pytest_configure():
    interrupts.hear()
