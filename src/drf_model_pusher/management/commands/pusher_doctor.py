"""``manage.py pusher_doctor``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drf_model_pusher.inspection.diagnosis import diagnose
from drf_model_pusher.inspection.findings import Finding

_WORDS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


class Command(BaseCommand):
    """Looks at one thing after the other, and sends one test event."""

    help = "Look for what is wrong between this project and the service, and say what to do."
    # It runs them itself, and goes on.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found; end with 1 if anything has failed."""
        findings = []
        for finding in diagnose():
            findings.append(finding)
            if not options["json"]:
                self._line(finding)
        failed = sum(finding.level == "fail" for finding in findings)
        if options["json"]:
            found = {"ok": not failed, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(found, indent=2))
        if failed:
            raise CommandError(f"{failed} of {len(findings)} failed.")

    def _line(self, finding: Finding) -> None:
        todo = f" → {finding.todo}" if finding.todo else ""
        line = f"{_WORDS[finding.level]}  {finding.topic:<13}  {finding.found}{todo}"
        style = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}
        self.stdout.write(line, style[finding.level])
        self.stdout.flush()
