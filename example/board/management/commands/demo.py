"""``manage.py demo``: the board, its API and a Pusher server, in one process on one port."""

import contextlib
import errno
import http.client
import json
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.core.signals import setting_changed
from django.db import connections
from django.utils.crypto import get_random_string
from websockets.exceptions import ConnectionClosed

from board.models import Board, List
from board.seed import MEMBERS, seed
from board.subscriber import Subscriber

HOST = "127.0.0.1"
PORTS = range(8000, 8020)


class Command(BaseCommand):
    help = "Runs the task board, and prints what a subscriber of its channel receives."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="by default the first free one from 8000 on")
        parser.add_argument("--database", help="an SQLite file other than that of the settings")
        parser.add_argument(
            "--once",
            action="store_true",
            help="create, change and delete a card over HTTP, print the three events that arrive "
            "over the WebSocket, and exit; the board is thrown away",
        )
        parser.add_argument(
            "--timeout", type=float, default=10, help="seconds that --once waits for its events"
        )

    def handle(
        self,
        *,
        port: int | None,
        database: str | Path | None,
        once: bool,
        timeout: float,
        **options: Any,
    ) -> None:
        # Being told to stop is a clean end, whoever says so.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(KeyboardInterrupt))
            if once:
                folder = tempfile.TemporaryDirectory(prefix="task-board-")
                database = Path(stack.enter_context(folder), "board.sqlite3")
                stack.callback(connections.close_all)
            if database:
                # Nothing has connected so far; threads take their connection from here as well.
                connections.settings["default"]["NAME"] = database
            listener = stack.enter_context(self.listen(port, any_port=once))
            # The development server shares the project's port, which is known only now.
            settings.PUSHER_PORT = port = listener.getsockname()[1]
            # The package has read its settings already, in the system checks say.
            setting_changed.send(type(self), setting="PUSHER_PORT", value=port, enter=True)
            call_command("migrate", verbosity=0)
            seed()
            stack.enter_context(serving(listener))
            credentials = (settings.PUSHER_KEY, settings.PUSHER_SECRET)
            address = (settings.PUSHER_HOST, settings.PUSHER_PORT)
            channel = f"private-boards.{Board.objects.earliest('pk').pk}"
            subscriber = stack.enter_context(Subscriber(*address, *credentials, channel))
            if once:
                self.make_three_changes(subscriber, timeout)
            else:
                self.show_events(subscriber)

    def listen(self, port: int | None, *, any_port: bool) -> socket.socket:
        """Return a socket that listens on the port, or else on a free one."""
        candidates: Sequence[int] = PORTS
        if port is not None or any_port:
            candidates = [port or 0]
        for candidate in candidates:
            try:
                return socket.create_server((HOST, candidate))
            except (OSError, OverflowError) as error:
                if getattr(error, "errno", None) != errno.EADDRINUSE:
                    raise CommandError(f"Cannot listen on port {candidate}: {error}") from error
                self.stderr.write(f"Port {candidate} is taken.")
        raise CommandError("Name a free port with --port.")

    def show_events(self, subscriber: Subscriber) -> None:
        """Print what arrives until the user, or the server, ends it."""
        address = self.style.SUCCESS(f"http://{HOST}:{settings.PUSHER_PORT}/")
        self.stdout.write(
            f"\n  The task board: {address}\n\n"
            "  Open it in two windows and move a card in one of them; a private window can be\n"
            "  somebody else. Ctrl+C ends the demo.\n"
            f'  Here is what a subscriber of the channel "{subscriber.channel}" receives:\n\n'
        )
        self.stdout.flush()
        with contextlib.suppress(ConnectionClosed):
            while True:
                event = subscriber.receive(timeout=1)
                if event:
                    self.show(*event)

    def make_three_changes(self, subscriber: Subscriber, timeout: float) -> None:
        """Create, change and delete a card; fail unless an event of each arrives in time."""
        deadline = time.monotonic() + timeout
        missing = []
        self.identity = headers_of(User.objects.get(username=MEMBERS[0].lower()))
        card = {"list": List.objects.earliest("position").pk, "title": "Say hello"}
        path = "/api/cards/"
        for method, body, name in [
            ("POST", card, "card.create"),
            ("PATCH", {"title": "Say hello to everyone"}, "card.update"),
            ("DELETE", None, "card.delete"),
        ]:
            answer = self.call(method, path, body)
            if method == "POST":
                path += f"{answer['id']}/"
            event = subscriber.receive(deadline - time.monotonic())
            while event and event[0] != name:
                event = subscriber.receive(deadline - time.monotonic())
            if event:
                self.show(*event)
            else:
                missing.append(name)
        if missing:
            raise CommandError(f"Not received within {timeout:g} s: {', '.join(missing)}.")

    def call(self, method: str, path: str, body: Any) -> Any:
        """Call the API as any HTTP client would, and return its answer."""
        headers = {"Content-Type": "application/json", **self.identity}
        connection = http.client.HTTPConnection(HOST, settings.PUSHER_PORT, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            content = response.read()
        if response.status >= 400:
            raise CommandError(f"{method} {path} was answered with {response.status}.")
        self.stdout.write(f"  {method:<6} {path:<14} {response.status} {response.reason}")
        return json.loads(content) if content else None

    def show(self, name: str, data: Any) -> None:
        text = json.dumps(data, ensure_ascii=False)
        # What a client wrote must not steer the terminal.
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
        self.stdout.write(f"  {self.style.SUCCESS(name)}  {text}")
        self.stdout.flush()


def headers_of(user: User) -> dict[str, str]:
    """Return the headers with which a browser says that it is this user's."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    token = get_random_string(32)
    return {
        "Cookie": f"sessionid={session.session_key}; csrftoken={token}",
        "X-CSRFToken": token,
    }


@contextlib.contextmanager
def serving(listener: socket.socket) -> Iterator[None]:
    """Serve the project on a listening socket, from a thread, inside the ``with`` block."""
    # They need the extra [server], and the settings.
    from pusher_dev_server.runner import create_server

    from taskboard.asgi import application

    host, port = listener.getsockname()
    server = create_server(application, host=host, port=port)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
