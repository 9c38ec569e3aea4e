"""The JavaScript of docs/frontend.md and the README, against the development server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dev_server_tests.node import CLIENTS, node  # noqa: F401 - a fixture
from drf_model_pusher.server.testing import LocalServer
from pusher_dev_server.signatures import sign
from tests.test_docs import ROOT, blocks

ORDER = {"id": 1, "customer": "Ada", "state": "open"}

#: What a page would do with the examples; each waits for what it is about and ends the process.
PAGES = {
    "pusher-js": """
        import { liveOrders } from "./orders.mjs";
        const steps = [
          (orders) => orders.get(1)?.state === "open"
            && trigger("order.update", { ...orders.get(1), state: "paid" }),
          (orders) => orders.get(1)?.state === "paid" && trigger("order.delete", { id: 1 }),
          (orders) => !orders.items.length && live.add({ customer: "Bob" }),
          (orders) => orders.get(undefined) === undefined && orders.get(2) && process.exit(0),
        ];
        const live = liveOrders(settings);
        live.orders.subscribe(() => {
          if (steps[0](live.orders)) steps.shift();
        });
    """,
    "Echo": """
        import { echoOrders } from "./echo.mjs";
        const orders = echoOrders(settings);
        let isSent = false;
        orders.subscribe(() => {
          if (orders.get(7)) process.exit(orders.get(1) ? 0 : 2);
          if (orders.status === "live" && !isSent) isSent = trigger("order.create", { id: 7 });
        });
    """,
}

FRAME = """
    import Server from "pusher";
    const settings = {{ key: "{key}", api: "{api}", options: {{ cluster: "", wsHost: "{host}",
      wsPort: {port}, forceTLS: false, enabledTransports: ["ws"] }} }};
    const server = new Server({{ appId: "{app_id}", key: "{key}", secret: "{secret}",
      host: "{host}", port: {port}, useTLS: false }});
    const trigger = (name, data) => server.trigger("private-orders", name, data);
    setTimeout(() => process.exit(3), 30000);
"""


@pytest.fixture
def api():
    """A site with orders and `pusher/auth`, and a server of the protocol."""
    with LocalServer() as server:

        class Site(BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer([ORDER])

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.path == "/pusher/auth":
                    socket_id = re.search(r"socket_id=([\d.]+)", body)[1]
                    assert "channel_name%5B0%5D=private-orders" in body
                    signed = sign(server.secret, f"{socket_id}:private-orders")
                    auth = {"auth": f"{server.key}:{signed}"}
                    self.answer({"private-orders": {"status": 200, "data": auth}})
                else:
                    assert self.path == "/api/orders/"
                    assert re.fullmatch(r"\d+\.\d+", self.headers["X-Pusher-Socket-Id"])
                    self.answer({"id": 2, **json.loads(body)})

            def answer(self, data):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(data).encode())

            def log_message(self, *args):
                pass

        site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
        threading.Thread(target=site.serve_forever, args=(0.01,), daemon=True).start()
        yield server, f"http://127.0.0.1:{site.server_port}"
        site.shutdown()
        site.server_close()


#: What stands around the script of the README in a page; only the addresses are others.
README = """
    import Pusher from "pusher-js";
    let isSent = false;
    function render(items) {{
      if (items.length === 2) process.exit(items[1].id === 3 ? 0 : 2);
      if (orders.status !== "live" || isSent) return;
      isSent = server.trigger("orders", "order.create", {{ id: 3 }});
    }}
    {script}
"""


def test_the_script_of_the_readme_does_what_it_says(node, api, tmp_path):  # noqa: F811
    (script,) = blocks(ROOT / "README.md", "js")
    for place, own in {
        'new Pusher("your-key", { cluster: "eu" })': "new Pusher(settings.key, settings.options)",
        "fetch(path)": "fetch(settings.api + path)",
    }.items():
        assert script.count(place) == 1
        script = script.replace(place, own)
    run_page(README.format(script=script), node, api, tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_the_example_does_what_it_says(page, node, api, tmp_path):  # noqa: F811
    for block in blocks(ROOT / "docs" / "frontend.md", "js"):
        first = block.partition("\n")[0].removeprefix("// ")
        if first.endswith(".mjs"):
            (tmp_path / first).write_text(block)
    run_page(PAGES[page], node, api, tmp_path)


def run_page(page, node, api, tmp_path):  # noqa: F811
    server, url = api
    modules = tmp_path / "node_modules"
    modules.mkdir()
    for module in [*(CLIENTS / "node_modules").iterdir(), ROOT / "client"]:
        name = "drf-model-pusher" if module.name == "client" else module.name
        (modules / name).symlink_to(module)
    frame = FRAME.format(
        key=server.key,
        secret=server.secret,
        app_id=server.app_id,
        host=server.host,
        port=server.port,
        api=url,
    )
    (tmp_path / "page.mjs").write_text(frame + page)
    done = subprocess.run(
        [node, "page.mjs"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
