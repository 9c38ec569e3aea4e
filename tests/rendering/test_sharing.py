"""Nothing is rendered twice where it is the same, and the API answers as it does without us."""

import pytest
from rest_framework import generics, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.views import ModelPusherViewMixin
from tests.shop.models import Line, Order
from tests.views import call

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]

rendered = []


class CountedSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["id", "order", "text"]

    def to_representation(self, instance):
        rendered.append(instance.text)
        return super().to_representation(instance)


class LineViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Line.objects.all()
    serializer_class = CountedSerializer

    def get_pusher_channels(self):
        return [f"lines-{n}" for n in range(150)]


@pytest.fixture(autouse=True)
def fresh():
    rendered.clear()


@pytest.fixture
def backend():
    class Backend(PusherBackend):
        serializer_class = CountedSerializer

    return Backend


@pytest.fixture
def line():
    return Line.objects.create(order=Order.objects.create(customer="Ada"), text="tea")


def change(view, line, **data):
    return call(view, "partial_update", {"text": "coffee", **data}, pk=line.pk)


class TestOnce:
    def test_however_many_channels(self, memory, backend, line):
        class View(LineViewSet):
            def perform_update(self, serializer):
                self.push_change("update", serializer.instance)
                raise serializers.ValidationError

        change(View, line)
        assert (len(rendered), len(memory[0].channels)) == (1, 150)

    def test_for_the_event_and_the_response(self, memory, backend, line):
        response = change(LineViewSet, line)
        assert rendered == ["coffee"]
        assert memory[0].json() == response.data

    def test_in_a_generic_view(self, memory, backend, line):
        class View(ModelPusherViewMixin, generics.CreateAPIView):
            queryset = Line.objects.all()
            serializer_class = CountedSerializer

            def get_pusher_channels(self):
                return ["lines"]

        request = APIRequestFactory().post("/", {"order": line.order_id, "text": "milk"})
        response = View.as_view()(request)
        assert rendered == ["milk"]
        assert memory[0].json() == response.data


class TestTheResponseStaysWhatItIs:
    """Each view changes the object after the push, and its response must say so."""

    def text_of(self, response):
        return response.data["text"]

    def test_with_code_behind_the_push(self, memory, backend, line):
        class View(LineViewSet):
            def perform_update(self, serializer):
                super().perform_update(serializer)
                serializer.instance.text = "later"

        assert self.text_of(change(View, line)) == "later"

    def test_with_an_action_that_updates(self, memory, backend, line):
        class View(LineViewSet):
            @action(detail=True, methods=["post"])
            def brew(self, request, pk=None):
                line = self.get_object()
                serializer = self.get_serializer(line, data={"text": "one"}, partial=True)
                serializer.is_valid(raise_exception=True)
                self.perform_update(serializer)
                line.text = "two"
                line.save()
                self.push_change("brewed", line)
                return Response(serializer.data)

        request = APIRequestFactory().post("/")
        response = View.as_view({"post": "brew"})(request, pk=line.pk)
        assert self.text_of(response) == "two"
        assert [event.json()["text"] for event in memory] == ["one", "two"]

    def test_with_a_handler_of_ones_own(self, memory, backend, line):
        class View(ModelPusherViewMixin, generics.CreateAPIView):
            queryset = Line.objects.all()
            serializer_class = CountedSerializer

            def get_pusher_channels(self):
                return ["lines"]

            def post(self, request):
                serializer = self.get_serializer(data=request.data)
                serializer.is_valid(raise_exception=True)
                self.perform_create(serializer)
                serializer.save(text="later")
                return Response(serializer.data)

        request = APIRequestFactory().post("/", {"order": line.order_id, "text": "milk"})
        assert self.text_of(View.as_view()(request)) == "later"

    def test_with_a_push_of_ones_own(self, memory, backend, line):
        class View(LineViewSet):
            def push_change(self, event, instance=None, **kwargs):
                super().push_change(event, instance, **kwargs)
                instance.text = "later"

        assert self.text_of(change(View, line)) == "later"

    def test_with_a_second_push_when_all_is_done(self, memory, backend, line):
        class View(LineViewSet):
            def finalize_response(self, request, response, *args, **kwargs):
                line = Line.objects.get(pk=self.kwargs["pk"])
                line.text = "later"
                self.push_change("finished", line)
                return super().finalize_response(request, response, *args, **kwargs)

        assert self.text_of(change(View, line)) == "coffee"
        assert [event.json()["text"] for event in memory] == ["coffee", "later"]

    def test_with_a_packet_that_takes_something_out(self, memory, line):
        class Backend(PusherBackend):
            serializer_class = CountedSerializer

            def get_packet(self, event, instance):
                channels, name, data = super().get_packet(event, instance)
                del data["text"]
                return channels, name, data

        assert self.text_of(change(LineViewSet, line)) == "coffee"
        assert set(memory[0].json()) == {"id", "order"}

    def test_with_another_serializer(self, memory, line):
        class Short(CountedSerializer):
            class Meta:
                model = Line
                fields = ["text"]

        class Backend(PusherBackend):
            serializer_class = Short

        assert set(change(LineViewSet, line).data) == {"id", "order", "text"}
        assert set(memory[0].json()) == {"text"}

    def test_with_a_serializer_that_the_view_makes_in_its_own_way(self, memory, backend, line):
        class View(LineViewSet):
            def get_serializer(self, *args, **kwargs):
                serializer = super().get_serializer(*args, **kwargs)
                serializer.fields.pop("order")
                return serializer

        assert set(change(View, line).data) == {"id", "text"}
        assert set(memory[0].json()) == {"id", "order", "text"}
