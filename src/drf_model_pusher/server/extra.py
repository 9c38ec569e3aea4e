"""What is said where the server's own dependencies are not installed."""

from __future__ import annotations

from drf_model_pusher.extras import install_line

MESSAGE = f"The embedded server needs more packages: {install_line('server')}"
