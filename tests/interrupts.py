"""Is Ctrl-C heard where a shell started the tests in the background?"""

import signal


def hear() -> None:
    """Raise KeyboardInterrupt on SIGINT, which a job that a shell starts in the background ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
