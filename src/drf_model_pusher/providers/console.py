"""A provider for development: events appear in the terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

from drf_model_pusher.providers.base import BaseProvider


class ConsoleProvider(BaseProvider):
    """Prints each event on one line of standard output, payload included."""

    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Print the event."""
        left_out = f" (not to {socket_id})" if socket_id else ""
        text = json.dumps(data, ensure_ascii=False)
        line = f"[pusher] {event_name} → {', '.join(channels)}{left_out} {text}\n"
        # A stream that goes into a file of Windows, say, has no arrow.
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(line.encode(encoding, errors="backslashreplace").decode(encoding))
        sys.stdout.flush()
