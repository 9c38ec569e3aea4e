"""What measurements found, where that is kept, and the page that it is written to."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
KEPT = Path(__file__).parent / "measured.json"
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
    taken: str = field(default_factory=lambda: f"{_machine()}; {_today()}")
    """On what machine, and when."""

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


def render(findings: Mapping[str, Findings]) -> str:
    """Return the goals of all measurements as one table, then their own tables, as Markdown."""
    goals = [goal for each in findings.values() for goal in each.goals]
    met = sum(goal.met for goal in goals)
    parts = [
        *_origins(findings),
        f"**{met} of {len(goals)} goals met.**",
        _table(
            Table(
                "",
                ["goal", "wanted", "measured", "verdict"],
                [[g.what, g.wanted, g.measured, "met" if g.met else "**missed**"] for g in goals],
            )
        ),
    ]
    for table in (table for each in findings.values() for table in each.tables):
        parts += [f"### {table.title}", _table(table)]
    return "\n\n".join(parts)


def keep(findings: Mapping[str, Findings], names: Iterable[str]) -> None:
    """Replace what earlier runs found by what is new, and write the page from all there is.

    Args:
        findings: Of this run, by the measurements' names.
        names: All measurements, in the order of the page.
    """
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept |= {name: asdict(found) for name, found in findings.items()}
    in_order = {name: kept[name] for name in names if name in kept}
    KEPT.write_text(json.dumps(in_order, ensure_ascii=False, indent=1) + "\n")
    _write(render({name: _found(values) for name, values in in_order.items()}))


def _found(values: Mapping[str, Any]) -> Findings:
    goals = [Goal(**goal) for goal in values["goals"]]
    return Findings(goals, [Table(**table) for table in values["tables"]], values["taken"])


def _origins(findings: Mapping[str, Findings]) -> list[str]:
    """Return where and when the numbers come from, a line for each machine and day."""
    by_origin = defaultdict(list)
    for name, found in findings.items():
        by_origin[found.taken].append(name)
    if len(by_origin) == 1:
        return [f"{origin}." for origin in by_origin]
    return [f"{origin}: {', '.join(names)}." for origin, names in by_origin.items()]


def _write(text: str) -> None:
    """Put the text between the markers of the page."""
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _table(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _today() -> str:
    return str(datetime.now(tz=timezone.utc).date())


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
