"""Async views under a real server, with their events at a real HTTP API."""

import asyncio

import pytest

from tests.pusher_api import Answer


def told(api, count):
    return [
        (event["channels"], event["name"], event["data"]["id"], event["socket_id"])
        for event in api.wait_for_events(count)
    ]


class TestEachKind:
    @pytest.mark.parametrize("path", ["/orders/", "/generic/", "/atomic/"])
    def test_is_pushed_as_a_get_shows_it_and_leaves_out_its_writer(self, served, pusher_api, path):
        created = served.call("POST", path, {"customer": "ada"}, Pusher_Socket_Id="1.1").body
        one = f"{path}{created['id']}/"
        updated = served.call("PATCH", one, {"total": "2.00"}, Pusher_Socket_Id="1.2").body
        shown = served.call("GET", one).body
        assert served.call("DELETE", one, Pusher_Socket_Id="1.3").status == 204
        events = pusher_api.wait_for_events(3)
        assert [(e["name"], e["socket_id"]) for e in events] == [
            ("order.create", "1.1"),
            ("order.update", "1.2"),
            ("order.delete", "1.3"),
        ]
        assert [event["data"] for event in events] == [created, updated, shown]
        assert created["lines"] == []  # an async field was rendered

    def test_moves_between_channels(self, served, pusher_api):
        pk = served.call("POST", "/orders/", {"customer": "ada"}).body["id"]
        served.call("PUT", f"/orders/{pk}/", {"customer": "grace"})
        assert told(pusher_api, 3) == [
            (["customers.ada"], "order.create", pk, None),
            (["customers.ada"], "order.delete", pk, None),
            (["customers.grace"], "order.create", pk, None),
        ]

    def test_of_ones_own(self, served, pusher_api):
        pk = served.call("POST", "/orders/", {"customer": "ada"}).body["id"]
        served.call("POST", f"/orders/{pk}/ship/", Pusher_Socket_Id="1.2")
        events = pusher_api.wait_for_events(5)[1:]
        assert [(event["name"], event["socket_id"]) for event in events] == [
            ("order.shipped", "1.2"),
            ("order.counted", "1.2"),
            ("order.counted", "1.2"),
            ("bell.rung", None),
        ]

    def test_outside_views_of_an_api(self, served, pusher_api):
        served.call("GET", "/plain/")
        assert told(pusher_api, 1) == [(["customers.Plain"], "order.create", 1, None)]


class TestWhatDoesNotHappen:
    def test_is_not_pushed(self, served, pusher_api):
        pk = served.call("POST", "/orders/", {"customer": "ada"}).body["id"]
        assert served.call("POST", "/atomic/", {"customer": "ada"}, Fail=1).status == 500
        assert served.call("DELETE", f"/orders/{pk}/", Kept=1).status == 500
        assert served.call("POST", "/orders/", {"customer": ""}).status == 400
        assert served.call("PUT", "/orders/99/", {"customer": "ada"}).status == 404
        served.call("POST", f"/orders/{pk}/ship/")
        assert [event["name"] for event in pusher_api.wait_for_events(2)[:2]] == [
            "order.create",
            "order.shipped",
        ]
        assert len(served.call("GET", "/orders/").body) == 1


class TestTheLoop:
    def test_serves_others_while_pushes_are_slow(self, start, pusher_api):
        served = start("InlineDelivery")
        pusher_api.default = Answer(delay=3)

        async def scene():
            slow = [
                asyncio.create_task(served.ask("POST", "/orders/", {"customer": "ada"}))
                for _ in range(2)
            ]
            await asyncio.to_thread(pusher_api.wait_for_calls, 2)
            third = await served.ask("GET", "/alive/")
            assert not any(task.done() for task in slow)
            assert third.body == b"alive"
            assert {answer.status for answer in await asyncio.gather(*slow)} == {201}

        asyncio.run(scene())

    def test_is_not_used_for_a_push_that_would_see_no_transaction(self, served, pusher_api):
        assert b"apush_change()" in served.call("GET", "/blocking/").body
        assert pusher_api.calls == []


class TestManyAtOnce:
    def test_are_each_pushed_once_without_the_writer_of_that_one(self, served, pusher_api):
        async def scene():
            writes = (
                served.ask("POST", "/orders/", {"customer": f"c{n}"}, Pusher_Socket_Id=f"{n}.{n}")
                for n in range(500)
            )
            return await asyncio.gather(*writes)

        answers = asyncio.run(scene())
        assert {answer.status for answer in answers} == {201}
        events = pusher_api.wait_for_events(500)
        assert len(events) == 500
        assert {(event["data"]["customer"], event["socket_id"]) for event in events} == {
            (f"c{n}", f"{n}.{n}") for n in range(500)
        }


class TestAClientThatGoesAway:
    @pytest.mark.parametrize(("path", "stays"), [("/orders/", True), ("/atomic/", False)])
    def test_does_not_part_a_write_from_its_push(self, served, pusher_api, path, stays):
        async def scene():
            _, writer = await served.send("POST", path, {"customer": "gone"}, Sleep=0.6)
            await asyncio.sleep(0.3)
            writer.close()
            await served.ask("POST", "/orders/", {"customer": "last"}, Sleep=0.6)

        asyncio.run(scene())
        rows = [order["customer"] for order in served.call("GET", "/orders/").body]
        assert rows == (["gone", "last"] if stays else ["last"])
        assert [e["data"]["customer"] for e in pusher_api.wait_for_events(len(rows))] == rows
