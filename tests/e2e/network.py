"""A network between a browser and a site that a test can cut and slow down."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time


class Network:
    """Forwards connections to a port, inside its ``with`` block."""

    def __init__(self, port: int, seed: int) -> None:
        self.delay = 0.0  # seconds at most, for each piece of data
        self.is_cut = False
        self._target = ("127.0.0.1", port)
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Network:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Close all connections, and each new one until ``restore()``."""
        with self._lock:
            self.is_cut = True
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        self.is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(browser,), daemon=True).start()

    def _connect(self, browser: socket.socket) -> None:
        with browser, contextlib.suppress(OSError), socket.create_connection(self._target) as site:
            with self._lock:
                if self.is_cut:
                    return
                self._sockets |= {browser, site}
            back = threading.Thread(target=self._forward, args=(site, browser), daemon=True)
            back.start()
            self._forward(browser, site)
            back.join()
            with self._lock:
                self._sockets -= {browser, site}

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self._random.uniform(0, self.delay))
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
            source.shutdown(socket.SHUT_RDWR)
