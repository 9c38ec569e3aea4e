"""Providers: who carries events to their subscribers."""

from drf_model_pusher.providers.base import BaseProvider, get_provider, provider_path
from drf_model_pusher.providers.console import ConsoleProvider
from drf_model_pusher.providers.memory import MemoryProvider
from drf_model_pusher.providers.pusher import PusherProvider

__all__ = [
    "BaseProvider",
    "ConsoleProvider",
    "MemoryProvider",
    "PusherProvider",
    "get_provider",
    "provider_path",
]
