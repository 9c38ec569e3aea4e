"""What a measurement found, and the page that it is written to."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TIMES = "\N{MULTIPLICATION SIGN}"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass
class Goal:
    """One promise and what was found."""

    what: str
    wanted: str
    measured: str
    met: bool


@dataclass
class Table:
    """Numbers behind the goals."""

    title: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)


@dataclass
class Findings:
    """Of one measurement."""

    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def at_most(
        self, what: str, value: float, limit: float, unit: str = TIMES, digits: int = 2
    ) -> None:
        self._add(what, "≤", value, limit, unit, digits, met=value <= limit)

    def at_least(
        self, what: str, value: float, limit: float, unit: str = TIMES, digits: int = 2
    ) -> None:
        self._add(what, "≥", value, limit, unit, digits, met=value >= limit)

    def exactly(self, what: str, value: object, wanted: object) -> None:
        self.goals.append(Goal(what, str(wanted), str(value), value == wanted))

    def _add(
        self, what: str, sign: str, value: float, limit: float, unit: str, digits: int, *, met: bool
    ) -> None:
        self.goals.append(
            Goal(what, f"{sign} {limit:,.{digits}f} {unit}", f"{value:,.{digits}f} {unit}", met)
        )


def render(findings: Sequence[Findings]) -> str:
    """Return the goals of all measurements as one table, then their own tables, as Markdown."""
    goals = [goal for each in findings for goal in each.goals]
    met = sum(goal.met for goal in goals)
    today = datetime.now(tz=timezone.utc).date()
    parts = [
        f"{_machine()}; {today}. **{met} of {len(goals)} goals met.**",
        _table(
            Table(
                "",
                ["goal", "wanted", "measured", "verdict"],
                [[g.what, g.wanted, g.measured, "met" if g.met else "**missed**"] for g in goals],
            )
        ),
    ]
    for table in (table for each in findings for table in each.tables):
        parts += [f"### {table.title}", _table(table)]
    return "\n\n".join(parts)


def write(text: str, page: Path = PAGE) -> None:
    """Put the text between the markers of the page."""
    before, rest = page.read_text().split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _table(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> str:
    versions = [f"{name} {version(name)}" for name in ("Django", "djangorestframework", "pusher")]
    return ", ".join(
        [
            f"{os.cpu_count()} cores{_processor()}",
            f"{platform.system()} {platform.release().split('-')[0]}",
            f"Python {platform.python_version()}",
            *versions,
        ]
    )


def _processor() -> str:
    try:
        names = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        return ""
    return f" ({names[1]})" if names else ""
