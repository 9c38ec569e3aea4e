"""Objects that are too large for an event: referred to, or dropped, and never an error."""

import base64
import json

import pytest
from django.db import transaction
from django.urls import path
from rest_framework import generics, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient

from drf_model_pusher import log
from drf_model_pusher.backends import EncryptedPusherBackend, PusherBackend
from drf_model_pusher.exceptions import DroppedError
from drf_model_pusher.signals import event_failed, event_sent
from drf_model_pusher.views import ModelPusherViewMixin
from tests.shop.models import Line, Order

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
    pytest.mark.urls(__name__),
]

LONG = "x" * 20_000
SITE = "http://testserver"


class LongLineSerializer(serializers.ModelSerializer):
    text = serializers.CharField()

    class Meta:
        model = Line
        fields = ["id", "order", "text"]


class LineViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Line.objects.all()
    serializer_class = LongLineSerializer

    @action(detail=True, methods=["post", "put"])
    def shout(self, request, **kwargs):
        self.push_change("update", self.get_object())
        return Response()


class NestedLineViewSet(LineViewSet):
    def get_queryset(self):
        return Line.objects.filter(order=self.kwargs["order_pk"])


class LineByCustomerViewSet(LineViewSet):
    lookup_field = "order__customer"


class LineByTextViewSet(LineViewSet):
    """Only its routes matter."""

    lookup_field = "text"


class LineList(ModelPusherViewMixin, generics.ListCreateAPIView):
    queryset = Line.objects.all()
    serializer_class = LongLineSerializer


class LineDetail(ModelPusherViewMixin, generics.RetrieveUpdateDestroyAPIView):
    queryset = Line.objects.all()
    serializer_class = LongLineSerializer


class LineByCustomerDetail(LineDetail):
    lookup_field = "order__customer"
    lookup_url_kwarg = "customer"


class LineByNobodyViewSet(LineViewSet):
    lookup_field = "nobody"


class LineByNothingViewSet(LineViewSet):
    lookup_field = "order__nothing"


class LineWithoutQueryset(ModelPusherViewMixin, generics.UpdateAPIView):
    def get_serializer_class(self):
        return LongLineSerializer

    def get_object(self):
        return Line.objects.get(pk=self.kwargs["pk"])


class OrderDetail(ModelPusherViewMixin, generics.UpdateAPIView):
    """Pushes an object that is not its own, of the same primary key."""

    queryset = Order.objects.all()

    def put(self, request, pk):
        self.push_changes("update", Line.objects.get(pk=pk))
        return Response()


router = SimpleRouter()
router.register("lines", LineViewSet, "line")
router.register(r"orders/(?P<order_pk>\d+)/lines", NestedLineViewSet, "order-line")
router.register("by-customer", LineByCustomerViewSet, "by-customer")
router.register("by-text", LineByTextViewSet, "by-text")
router.register("by-nobody", LineByNobodyViewSet, "by-nobody")
router.register("by-nothing", LineByNothingViewSet, "by-nothing")

urlpatterns = [
    *router.urls,
    path("generic/", LineList.as_view()),
    path("generic/<int:pk>/", LineDetail.as_view()),
    path("generic/of-order/<int:pk>/lines/", LineList.as_view()),
    path("generic/by-customer/<customer>/", LineByCustomerDetail.as_view()),
    path("generic/without-queryset/<int:pk>/", LineWithoutQueryset.as_view()),
    path("generic/orders/<int:pk>/", OrderDetail.as_view()),
    path("bare/", LineViewSet.as_view({"post": "create"})),
    path("bare/<int:pk>/", LineViewSet.as_view({"put": "update", "patch": "partial_update"})),
    path(  # a route that does not go by the name the viewset has for it
        "unnamed/<int:pk>/",
        LineViewSet.as_view({"put": "update", "patch": "partial_update"}, basename="unnamed"),
    ),
    path("bare/<int:pk>/shout/", LineViewSet.as_view({"put": "shout"})),
]


@pytest.fixture
def order():
    return Order.objects.create(pk=1, customer="Ada")


@pytest.fixture
def line(order):
    return Line.objects.create(pk=1, order=order, text=LONG)


@pytest.fixture
def backend(own_registry):
    class Backend(PusherBackend):
        serializer_class = LongLineSerializer
        channels = ["lines"]

    return Backend


@pytest.fixture
def failed():
    """The names and errors of events that were given up."""
    errors = []

    def note(event, error, **kwargs):
        errors.append((event.name, error))

    event_failed.connect(note)
    yield errors
    event_failed.disconnect(note)


@pytest.fixture
def sent():
    """The events that the service took, as they were before encryption."""
    events = []

    def note(event, **kwargs):
        events.append(event)

    event_sent.connect(note)
    yield events
    event_sent.disconnect(note)


def send(method, url, text=LONG, status=None):
    """Make a request that changes a line of order 1, and see it succeed."""
    data = None if method == "delete" else {"order": 1, "text": text}
    response = getattr(APIClient(), method)(url, data, format="json")
    expected = {"post": 201, "delete": 204}.get(method, 200)
    assert response.status_code == (status or expected), response.data
    return response.data


def referred(url=None):
    """What is sent of the line 1."""
    return {"id": 1, "truncated": True} | ({"url": SITE + url} if url else {})


class TestLimitOfTheRequest:
    """A server that counts all of a request gets a reference in time, and never answers 413."""

    def test_quotes_count_twice_and_other_scripts_once(self, pusher_api, backend, line, settings):
        settings.DRF_MODEL_PUSHER_PROVIDER = "drf_model_pusher.providers.PusherProvider"
        settings.DRF_MODEL_PUSHER_MAX_REQUEST_BYTES = 10_000
        for text in ("订" * 3_000, '"' * 3_000, "x" * 9_000):
            Line.objects.filter(pk=line.pk).update(text=text)
            line.refresh_from_db()
            backend().push_change("update", line)
        assert [call.ok for call in pusher_api.calls] == [True] * 3
        assert max(len(call.body) for call in pusher_api.calls) <= 10_000
        assert [e["data"].get("truncated") for e in pusher_api.events] == [None, True, None]


@pytest.mark.usefixtures("backend")
class TestReference:
    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_is_to_the_detail_route_of_the_router(self, memory, line, method):
        send(method, "/lines/1/")
        assert [(e.channels, e.name, e.json()) for e in memory] == [
            (("lines",), "line.update", referred("/lines/1/"))
        ]

    def test_is_to_the_detail_route_after_a_creation_too(self, memory, order):
        created = send("post", "/lines/")
        assert created["text"] == LONG
        assert memory[0].json() == {
            "id": created["id"],
            "truncated": True,
            "url": f"{SITE}/lines/{created['id']}/",
        }

    def test_has_the_version_where_the_backend_has_a_field_of_one(self, memory, backend, line):
        backend.version_field = "order_id"
        send("put", "/lines/1/")
        assert memory[0].json() == {**referred("/lines/1/"), "order_id": 1}

    def test_leads_to_the_object(self, memory, line):
        send("put", "/lines/1/")
        assert APIClient().get(memory[0].json()["url"]).json()["text"] == LONG

    def test_arrives_over_http(self, pusher_api, line):
        send("put", "/lines/1/")
        assert pusher_api.wait_for_events(1)[0]["data"] == referred("/lines/1/")

    @pytest.mark.parametrize("method", ["post", "put"])
    def test_keeps_the_arguments_of_a_nested_route(self, memory, order, method):
        if method == "put":
            Line.objects.create(pk=1, order=order, text=LONG)
        send(method, "/orders/1/lines/" + ("1/" if method == "put" else ""))
        pk = Line.objects.get().pk
        assert memory[0].json()["url"] == f"{SITE}/orders/1/lines/{pk}/"

    @pytest.mark.parametrize("method", ["put", "patch"])
    @pytest.mark.parametrize("url", ["/generic/1/", "/bare/1/", "/unnamed/1/"])
    def test_without_a_router_is_to_the_request_that_updates_the_object(
        self, memory, line, method, url
    ):
        send(method, url)
        assert memory[0].json() == referred(url)

    @pytest.mark.django_db(transaction=True, reset_sequences=True)
    @pytest.mark.parametrize("url", ["/generic/", "/generic/of-order/1/lines/", "/bare/"])
    def test_without_a_router_a_creation_has_no_url(self, memory, order, url):
        """Neither the list's, nor a parent's of the same primary key."""
        assert send("post", url)["id"] == order.pk
        assert memory[0].json() == referred()

    @pytest.mark.parametrize("method", ["post", "put"])
    def test_of_an_action_is_to_the_object_and_not_the_action(self, memory, line, method):
        send(method, "/lines/1/shout/", status=200)
        assert memory[0].json() == referred("/lines/1/")

    def test_of_an_action_without_a_router_has_no_url(self, memory, line):
        send("put", "/bare/1/shout/")
        assert memory[0].json() == referred()

    @pytest.mark.parametrize("url", ["/lines/1/", "/generic/1/"])
    def test_to_a_deleted_object_has_no_url(self, memory, line, url):
        send("delete", url)
        assert [(e.name, e.json()) for e in memory] == [("line.delete", referred())]

    def test_to_an_object_of_another_model_than_the_views_has_no_url(self, memory, line):
        send("put", "/generic/orders/1/")
        assert memory[0].json() == referred()


@pytest.mark.usefixtures("backend")
class TestLookups:
    @pytest.mark.parametrize("url", ["/by-customer/Ada/", "/generic/by-customer/Ada/"])
    def test_may_go_over_relations(self, memory, line, url):
        send("put", url)
        assert memory[0].json() == referred(url)

    def test_that_the_update_has_changed_do_not_give_the_old_url(self, memory, line):
        Order.objects.create(pk=2, customer="Bob")
        APIClient().put("/by-customer/Ada/", {"order": 2, "text": LONG}, format="json")
        APIClient().put("/generic/by-customer/Bob/", {"order": 1, "text": LONG}, format="json")
        assert [event.json() for event in memory] == [referred("/by-customer/Bob/"), referred()]

    def test_that_lead_nowhere_give_no_url(self, memory, order):
        pk = send("post", "/by-nothing/")["id"]
        assert memory[0].json() == {"id": pk, "truncated": True}

    def test_without_a_value_give_no_url(self, memory, order, monkeypatch):
        monkeypatch.setattr(Line, "nobody", None, raising=False)
        send("post", "/by-nobody/")
        assert set(memory[0].json()) == {"id", "truncated"}


@pytest.mark.usefixtures("backend")
class TestViewsThatLackSomething:
    def test_a_queryset(self, memory, line):
        send("put", "/generic/without-queryset/1/")
        assert memory[0].json() == referred()

    @pytest.mark.parametrize("view_class", [LineViewSet, LineDetail, generics.UpdateAPIView])
    def test_request_and_arguments(self, memory, line, backend, view_class):
        class ByHand(backend):
            def get_serializer_context(self):
                return {}

        ByHand(view=view_class()).push_change("update", line)
        assert memory[0].json() == referred()

    def test_no_view_at_all(self, memory, line, backend):
        backend().push_change("update", line)
        assert memory[0].json() == referred()

    def test_an_instance(self, memory, backend):
        class Report(serializers.Serializer):
            def to_representation(self, instance):
                return {"text": LONG}

        class Own(backend):
            serializer_class = Report

            class Meta:
                model = Line

        Own().push_change("update", object())
        assert memory[0].json() == {"truncated": True}


class TestRenderedUrl:
    def push(self, memory, line, fields, bases=(serializers.ModelSerializer,), url="/generic/"):
        """Push a line through a view without a detail route, so that only the data has a URL."""
        meta = type("Meta", (), {"model": Line, "fields": ["url", "text"]})
        serializer = type("Serializer", bases, {"Meta": meta, **fields})
        type("Backend", (PusherBackend,), {"serializer_class": serializer, "channels": ["lines"]})
        pk = send("post", url)["id"]
        return pk, memory[0].json()

    def test_of_a_hyperlinked_serializer_counts(self, memory, order):
        class Linked(serializers.HyperlinkedModelSerializer):
            class Meta:
                model = Line
                fields = ["url", "text"]

        class Backend(PusherBackend):
            serializer_class = Linked
            channels = ["lines"]

        pk = send("post", "/generic/")["id"]
        assert memory[0].json() == {"id": pk, "truncated": True, "url": f"{SITE}/lines/{pk}/"}

    def test_of_an_identity_field_counts(self, memory, order):
        pk, data = self.push(
            memory,
            order,
            {"url": serializers.HyperlinkedIdentityField(view_name="line-detail")},
        )
        assert data == {"id": pk, "truncated": True, "url": f"{SITE}/lines/{pk}/"}

    @pytest.mark.parametrize(
        "base", [serializers.ModelSerializer, serializers.HyperlinkedModelSerializer]
    )
    def test_that_somebody_typed_does_not_count(self, memory, order, base):
        foreign = serializers.ReadOnlyField(default="https://evil.example/", source="website")
        pk, data = self.push(memory, order, {"url": foreign}, (base,))
        assert data == {"id": pk, "truncated": True}

    def test_of_another_object_does_not_count(self, memory, order):
        other = serializers.HyperlinkedRelatedField(
            view_name="by-text-detail", lookup_field="customer", lookup_url_kwarg="text",
            source="order", read_only=True,
        )  # fmt: skip
        pk, data = self.push(memory, order, {"url": other})
        assert data == {"id": pk, "truncated": True}

    def test_comes_after_the_views_own(self, memory, order):
        elsewhere = serializers.HyperlinkedIdentityField(
            view_name="by-text-detail", lookup_field="pk", lookup_url_kwarg="text"
        )
        pk, data = self.push(memory, order, {"url": elsewhere}, url="/lines/")
        assert data == {"id": pk, "truncated": True, "url": f"{SITE}/lines/{pk}/"}


class TestDrop:
    def test_sends_nothing_and_says_so(self, memory, line, backend, failed):
        backend.oversize = "drop"
        send("put", "/lines/1/")
        assert memory == []
        ((name, error),) = failed
        assert name == "line.update"
        assert isinstance(error, DroppedError)

    def test_is_logged(self, memory, line, backend, caplog, monkeypatch):
        monkeypatch.setattr(log, "_drops", log._Drops())
        backend.oversize = "drop"
        send("put", "/lines/1/")
        assert "events dropped count=1" in caplog.text

    def test_leaves_events_that_fit_alone(self, memory, line, backend, failed):
        backend.oversize = "drop"
        send("put", "/lines/1/", text="tea")
        send("put", "/lines/1/")
        assert [event.json()["text"] for event in memory] == ["tea"]
        assert [type(error) for _, error in failed] == [DroppedError]

    def test_happens_to_a_reference_that_is_too_large_itself(self, memory, line, backend, failed):
        backend.get_oversize_data = lambda self, event, instance, data: data
        send("put", "/lines/1/")
        assert memory == []
        assert [type(error) for _, error in failed] == [DroppedError]

    def test_waits_for_the_commit(self, memory, line, backend, failed):
        backend.oversize = "drop"
        with transaction.atomic():
            send("put", "/lines/1/")
            assert failed == []
        assert [type(error) for _, error in failed] == [DroppedError]


class TestOwnData:
    def test_is_sent_instead(self, memory, line):
        class Backend(PusherBackend):
            serializer_class = LongLineSerializer
            channels = ["lines"]

            def get_oversize_data(self, event, instance, data):
                return {"event": event, "line": instance.pk, "length": len(data["text"])}

        send("put", "/lines/1/")
        assert memory[0].json() == {"event": "update", "line": 1, "length": 20_000}

    def test_may_add_to_the_reference(self, memory, line):
        class Backend(PusherBackend):
            serializer_class = LongLineSerializer
            channels = ["lines"]

            def get_oversize_data(self, event, instance, data):
                return super().get_oversize_data(event, instance, data) | {"order": data["order"]}

        send("put", "/lines/1/")
        assert memory[0].json() == referred("/lines/1/") | {"order": 1}


def text_for(size, character="x"):
    """Return a text with which the data of the line 1 has so many bytes."""
    rest = size - len('{"id":1,"order":1,"text":""}')
    width = len(character.encode())
    return character * (rest // width) + "x" * (rest % width)


class TestLimit:
    @pytest.mark.parametrize("character", ["x", "é", "☃", "😀"])
    def test_is_in_bytes_of_utf_8(self, memory, line, backend, character):
        send("put", "/lines/1/", text=text_for(10_240, character))
        send("put", "/lines/1/", text=text_for(10_241, character))
        whole, reference = memory
        assert len(whole.data.encode()) == 10_240
        assert whole.json()["text"] == text_for(10_240, character)
        assert reference.json() == referred("/lines/1/")

    def test_is_a_setting(self, memory, line, backend, settings):
        settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES = 2_000
        send("put", "/lines/1/", text=text_for(2_000))
        send("put", "/lines/1/", text=text_for(2_001))
        assert len(memory[0].data) == 2_000
        assert memory[1].json() == referred("/lines/1/")

    def test_of_an_encrypted_channel_is_after_encryption(self, pusher_api, line, settings, sent):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = base64.b64encode(b"k" * 32).decode()

        class Backend(EncryptedPusherBackend):
            serializer_class = LongLineSerializer
            channels = ["lines"]

        send("put", "/lines/1/", text=text_for(7_619))
        send("put", "/lines/1/", text=text_for(7_620))
        whole, reference = [
            item["data"]
            for call in pusher_api.wait_for_calls(2)
            for item in call.json.get("batch", [call.json])
        ]
        assert set(json.loads(whole)) == set(json.loads(reference)) == {"nonce", "ciphertext"}
        assert len(whole) == 10_240
        assert len(reference) < 300
        assert len(sent[0].data) == 7_619
        assert sent[1].json() == referred("/lines/1/")

    def test_holds_for_both_kinds_of_channel_apart(self, memory, line, backend, settings):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = base64.b64encode(b"k" * 32).decode()

        class Encrypted(EncryptedPusherBackend):
            serializer_class = LongLineSerializer
            channels = ["lines"]

        send("put", "/lines/1/", text=text_for(9_000))
        assert {event.channels[0]: "text" in event.json() for event in memory} == {
            "lines": True,
            "private-encrypted-lines": False,
        }
