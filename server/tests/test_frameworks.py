"""Projects of other frameworks, whose tests use the package as its README says."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

APP = {
    "flask": """
        import pusher
        from flask import Flask, jsonify, request


        def create_app(**pusher_options):
            app = Flask(__name__)
            publisher = pusher.Pusher(**pusher_options)
            orders = []

            @app.post("/orders")
            def create_order():
                order = {"id": len(orders) + 1, "customer": request.json["customer"]}
                orders.append(order)
                publisher.trigger("orders", "order.create", order)
                return jsonify(order), 201

            return app
    """,
    "fastapi": """
        import pusher
        from fastapi import FastAPI, Request


        def create_app(**pusher_options):
            app = FastAPI()
            publisher = pusher.Pusher(**pusher_options)
            orders = []

            @app.post("/orders", status_code=201)
            async def create_order(request: Request):
                order = {"id": len(orders) + 1, **await request.json()}
                orders.append(order)
                publisher.trigger("orders", "order.create", order)
                return order

            return app
    """,
}
TEST = """
    import asyncio
    import json

    import pytest
    from shop import create_app
    from websockets.sync.client import connect


    @pytest.fixture
    def app(pusher_dev_server):
        server = pusher_dev_server
        return create_app(
            app_id=server.app_id, key=server.key, secret=server.secret,
            host=server.host, port=server.port, ssl=False,
        )


    def test_an_order_reaches_a_subscriber(app, pusher_dev_server):
        with connect(pusher_dev_server.ws_url) as browser:
            browser.send('{"event":"pusher:subscribe","data":{"channel":"orders"}}')
            pusher_dev_server.recorder.wait_for_subscription("orders")
            assert post(app, "/orders", {"customer": "Ada"}) == 201
            frames = [json.loads(browser.recv(5)) for _ in range(3)]
        assert frames[2]["event"] == "order.create"
        event = pusher_dev_server.wait_for_event("order.create", channel="orders")
        assert event.data == {"id": 1, "customer": "Ada"}
"""
POST = {
    "flask": """
    def post(app, path, data):
        return app.test_client().post(path, json=data).status_code
    """,
    "fastapi": """
    def post(app, path, data):
        sent = []

        async def receive():
            return {"type": "http.request", "body": json.dumps(data).encode()}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        asyncio.run(app(scope, receive, send))
        return sent[0]["status"]
    """,
}


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_a_project_tests_its_events_with_the_fixture(framework, tmp_path):
    pytest.importorskip(framework)
    (tmp_path / "shop.py").write_text(textwrap.dedent(APP[framework]))
    text = textwrap.dedent(TEST) + "\n\n" + textwrap.dedent(POST[framework])
    (tmp_path / "test_shop.py").write_text(text)
    # No Django: its plugin, and that of the package for it, are not there for such a project.
    plugins = ["-p", "no:django", "-p", "no:drf_model_pusher", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", *plugins, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "1 passed" in result.stdout, result.stdout + result.stderr
