"""Do tests of Ctrl-C pass where the suite was started in the background, which ignores SIGINT?"""

import subprocess
import sys
from pathlib import Path

import pytest

HEARD = "import interrupts, signal; interrupts.hear(); signal.raise_signal(signal.SIGINT)"
DEAF = "import signal; signal.raise_signal(signal.SIGINT)"


@pytest.mark.parametrize(("code", "heard"), [(HEARD, True), (DEAF, False)])
def test_a_background_job_hears_ctrl_c(code, heard):
    command = f'trap "" INT; exec {sys.executable} -c "{code}"'
    done = subprocess.run(
        ["sh", "-c", command], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert ("KeyboardInterrupt" in done.stderr) is heard
