"""Takes the picture of the server's console, with clients and events of a small shop."""

import json
from contextlib import ExitStack
from pathlib import Path

import pusher
from drf_model_pusher.server.testing import LocalServer
from playwright.sync_api import Page, ViewportSize, sync_playwright
from pusher_dev_server.signatures import sign
from websockets.sync.client import ClientConnection, connect

from screenshot import CHROMIUM, FLAGS

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "console.png"
SIZE: ViewportSize = {"width": 1240, "height": 820}
ORDER = {"id": 7, "customer": "Ada Lovelace", "total": "149.90", "status": "paid"}


def main() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(LocalServer())
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        page = browser.new_page(device_scale_factor=2, viewport=SIZE)
        page.goto(server.url)
        page.locator("#status[data-state=live]").wait_for()
        for number, name in enumerate(("Mira", "Jonas", "Alma"), 1):
            client = stack.enter_context(connect(server.ws_url))
            socket_id = json.loads(json.loads(client.recv())["data"])["socket_id"]
            subscribe(client, server, socket_id, "orders")
            member = json.dumps({"user_id": str(number), "user_info": {"name": name}})
            subscribe(client, server, socket_id, "presence-support", member)
            subscribe(client, server, socket_id, f"private-customers.{number}")
        client.send('{"event":"client-typing","channel":"presence-support","data":{"order":7}}')
        publish(server, page)
        page.screenshot(path=PICTURE)
    print(f"{PICTURE} ({PICTURE.stat().st_size // 1000} kB)")


def subscribe(
    client: ClientConnection,
    server: LocalServer,
    socket_id: str,
    channel: str,
    member: str | None = None,
) -> None:
    signed = ":".join(filter(None, [socket_id, channel, member]))
    data = {"channel": channel, "auth": f"{server.key}:{sign(server.secret, signed)}"}
    if member:
        data["channel_data"] = member
    client.send(json.dumps({"event": "pusher:subscribe", "data": data}))
    server.recorder.wait_for_subscription(channel)


def publish(server: LocalServer, page: Page) -> None:
    publisher = pusher.Pusher(
        server.app_id, server.key, server.secret, host=server.host, port=server.port, ssl=False
    )
    publisher.trigger("orders", "order.create", {**ORDER, "status": "new"})
    publisher.trigger(["orders", "private-customers.2"], "order.update", ORDER)
    for place, text in (
        ("log", "order.update private-customers.2"),
        ("channels", "presence-support"),
    ):
        page.locator(f"#{place} summary", has_text=text).first.click()
    page.get_by_label("Channel", exact=True).fill("private-customers.1")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("#log li", has_text="test-event").wait_for()
    page.get_by_text("Sent to ").wait_for()
    page.mouse.move(0, 0)


if __name__ == "__main__":
    main()
