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
          (orders) => !orders.size && live.write("POST", "", { customer: "Bob" }),
          (orders) => orders.get(2) && process.exit(0),
        ];
        const live = liveOrders({ ...settings, changed: (orders) => {
          if (steps[0](orders)) steps.shift();
        }});
    """,
    "Echo": """
        import { listen } from "./echo.mjs";
        const created = ({ id }) => process.exit(id === 7 ? 0 : 2);
        const echo = listen({ ...settings, created });
        echo.private("orders").subscribed(() => trigger("order.create", { id: 7 }));
    """,
    "the cache of TanStack Query": """
        import { applyEvents } from "./applyEvents.mjs";
        import Pusher from "pusher-js";
        // What the example asks of a QueryClient.
        let list, fetched = 0;
        const client = {
          setQueryData: (key, how) => (list = how(list)),
          invalidateQueries: () => { fetched += 1; list = [{ id: 1, state: "open" }]; go(); },
        };
        const pusher = new Pusher(settings.key, { ...settings.options,
          channelAuthorization: { endpoint: `${settings.api}/pusher/auth` } });
        const channel = pusher.subscribe("private-orders");
        applyEvents(channel, client, ["orders"]);
        async function go() {
          const right = () => fetched === 1 && JSON.stringify(list) === '[{"id":2}]';
          channel.bind("order.delete", () => process.exit(right() ? 0 : 2));
          await trigger("order.update", { id: 1, state: "paid" });
          await trigger("order.create", { id: 2 });
          await trigger("order.create", { id: 2 });
          await trigger("order.delete", { id: 1 });
        }
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
                    signed = sign(server.secret, f"{socket_id}:private-orders")
                    self.answer({"auth": f"{server.key}:{signed}"})
                else:
                    assert self.path in ("/api/orders/", "/orders/")
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


#: What stands around the script of the README in a page: it adds an order, hears of a change of
#: another, and hides that one. Only the addresses are others.
README = """
    import Pusher from "pusher-js";
    const shown = [];
    function show(order) {{
      shown.push(order.id);
      if (order.id === 2) server.trigger("orders", "order.update", {{ id: 3 }});
      if (order.id === 3) server.trigger("orders", "order.delete", {{ id: 3 }});
    }}
    const hide = (id) => process.exit(id === 3 && `${{shown}}` === "2,3" ? 0 : 2);
    {script}
    channel.bind("pusher:subscription_succeeded", () => add({{ customer: "Ada" }}));
"""


def test_the_script_of_the_readme_does_what_it_says(node, api, tmp_path):  # noqa: F811
    (script,) = blocks(ROOT / "README.md", "js")
    for place, own in {
        'new Pusher("your-key", { cluster: "eu" })': "new Pusher(settings.key, settings.options)",
        'fetch("/orders/"': "fetch(`${settings.api}/orders/`",
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
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
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
