"""What is imported when; each question is asked in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.report import Findings

IMPORT = """
import sys
before = set(sys.modules)
import drf_model_pusher
print(*sorted(set(sys.modules) - before))
"""

SETUP = """
import sys, time
import django

django.setup()
print("pusher" in sys.modules)

from benchmarks.project.models import Order
from benchmarks.project.pusher_backends import OrderPusherBackend

class Backend(OrderPusherBackend):
    channels = ["orders"]

Backend().push_change("update", Order(pk=1, total=1, position=1))
deadline = time.monotonic() + 5
while "pusher" not in sys.modules and time.monotonic() < deadline:
    time.sleep(0.01)
print("pusher" in sys.modules)
"""


def measure() -> Findings:
    findings = Findings()
    findings.exactly(
        "what `import drf_model_pusher` imports", " ".join(_run(IMPORT)), "drf_model_pusher"
    )
    after_setup, after_push = _run(SETUP)
    findings.exactly("`pusher` is imported after `django.setup()`", after_setup, "False")
    findings.exactly("`pusher` is imported after the first push", after_push, "True")
    return findings


def _run(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return done.stdout.split()
