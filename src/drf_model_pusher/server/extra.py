"""What is said where the server's own dependencies are not installed."""

from __future__ import annotations

MESSAGE = 'The embedded server needs more packages: pip install "drf-model-pusher[server]"'
