"""What is said where the packages of an extra are not installed."""

from __future__ import annotations


def install_line(extra: str) -> str:
    """Return the command that installs an extra; with ``--pre`` until 1.0 has a final release."""
    return f'pip install --pre "drf-model-pusher[{extra}]"'
