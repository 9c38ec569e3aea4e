"""Processes of ``tests.outbox.project``, on a database and a service of the tests."""

from __future__ import annotations

import json
import os

from django.db import connections

from tests.processes import running


def environment(alias, pusher_api, settings, **more):
    """What `tests.outbox.project` reads."""
    database = {
        name: value
        for name, value in connections.settings[alias].items()
        if name in ("ENGINE", "NAME", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")
    }
    return {
        **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        "OUTBOX_DATABASE": json.dumps(database),
        "PUSHER_KEY": settings.PUSHER_KEY,
        "PUSHER_SECRET": settings.PUSHER_SECRET,
        "PUSHER_PORT": str(pusher_api.port),
        **({"PyMySQL": "1"} if "mysql" in database["ENGINE"] else {}),
        **more,
    }


def relaying(*arguments, env, log):
    """Run the command in a process of its own."""
    return running("-m", "tests.outbox.project", "pusher_relay", *arguments, env=env, log=log)
