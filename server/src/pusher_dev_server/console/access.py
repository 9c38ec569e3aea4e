"""Who may use the console. Pure.

It shows payloads and sends events, so it is for the person at this machine, or for whoever has the
token. A browser at this machine may be showing a stranger's page, though: that page must neither
reach the console under a name of its own that leads here (DNS rebinding), nor send requests to it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pusher_dev_server.signatures import same


class Denied(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that the console does not answer.

    Attributes:
        status: The HTTP status that says so.
    """

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """What a request says about where it comes from."""

    server: str | None
    """The address that it arrived at."""
    client: str | None
    """The address that it came from."""
    host: str
    """The ``Host`` header."""
    origin: str | None
    """The ``Origin`` header: of which site the page is that makes the request."""
    site: str | None
    """The ``Sec-Fetch-Site`` header: how that page stands to this one."""
    is_forwarded: bool
    """Whether a proxy says that it stands between; then the addresses are the proxy's."""


def check_place(caller: Caller, token: str | None) -> None:
    """Raise Denied unless the page itself, which holds nothing, may be shown here.

    Args:
        caller: Where the request comes from.
        token: With one, the page is shown anywhere, and asks for it.
    """
    if token is not None:
        return
    if caller.is_forwarded or not (_is_loopback(caller.server) and _is_loopback(caller.client)):
        raise Denied(
            "The console is for this machine only. Set a console token to open it elsewhere."
        )
    if not _is_loopback(_host_name(caller.host)):
        raise Denied("The console answers to localhost, 127.0.0.1 and [::1] only.")


def check_page(caller: Caller) -> None:
    """Raise Denied if a browser makes the request for a page of another site."""
    # Browsers send both by themselves, and no page can forge them; other programs send neither.
    if caller.site not in (None, "same-origin"):
        raise Denied("Requests of other sites are not answered.")
    if caller.origin is not None and _place(caller.origin) != caller.host.lower():
        raise Denied("Requests of other sites are not answered.")


def check_token(given: str, token: str | None) -> None:
    """Raise Denied unless the token, if there is one, is what was given."""
    if token is not None and not same(given, token):
        raise Denied("The token is missing or wrong.", 401)


def describe_access(token: str | None, name: str) -> str:
    """Say who may open the console; ``name`` is where the token comes from."""
    return f"with {name}" if token else "on this machine only"


def _place(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
