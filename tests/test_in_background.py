from __future__ import annotations

import subprocess
import sys

from tests.processes import ROOT


def test_a_run_that_the_shell_made_ignore_sigint_passes():
    """As one that a script starts with ``&``."""
    test = "tests/inspection/test_pusher_listen.py::test_ctrl_c_ends_it_with_0"
    command = f"trap '' INT; exec {sys.executable} -m pytest -q -n 0 -p no:cacheprovider {test}"
    result = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
