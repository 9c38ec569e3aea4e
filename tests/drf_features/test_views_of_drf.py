"""Each way in which DRF lets people write a view, and what it pushes."""

import pytest
from django.db import connection, transaction
from django.http import Http404
from django.test import Client
from rest_framework import generics, mixins, permissions, serializers, throttling, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.views import ModelPusherViewMixin
from tests.drf_features.declared import backend, serializer, told, viewset
from tests.drf_features.models import City, Country, Place, Ticket
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

PlaceSerializer = serializer(Place)
BY_VERB = {"post": "place.create", "put": "place.update", "patch": "place.update",
           "delete": "place.delete"}  # fmt: skip


@pytest.fixture
def place():
    return Place.objects.create(name="Bar")


@pytest.fixture(autouse=True)
def places(own_registry):
    return backend(PlaceSerializer, "places")


def names(memory):
    return [event.name for event in memory]


class TestGenericViews:
    @pytest.mark.parametrize(
        ("base", "verbs"),
        [
            (generics.CreateAPIView, ["post"]),
            (generics.ListAPIView, []),
            (generics.RetrieveAPIView, []),
            (generics.DestroyAPIView, ["delete"]),
            (generics.UpdateAPIView, ["put", "patch"]),
            (generics.ListCreateAPIView, ["post"]),
            (generics.RetrieveUpdateAPIView, ["put", "patch"]),
            (generics.RetrieveDestroyAPIView, ["delete"]),
            (generics.RetrieveUpdateDestroyAPIView, ["put", "patch", "delete"]),
        ],
    )
    def test_push_what_they_change(self, memory, place, base, verbs):
        view = viewset(Place, PlaceSerializer, base=base).as_view()
        for verb in ("get", "post", "put", "patch", "delete"):
            request = getattr(APIRequestFactory(), verb)("/", {"name": "Pub"}, format="json")
            assert (view(request, pk=place.pk).status_code < 300) == (verb in (*verbs, "get")) or (
                verb == "get" and base.__name__[:4] not in ("List", "Retr")
            )
        assert names(memory) == [BY_VERB[verb] for verb in verbs]

    def test_made_of_mixins_push_what_they_change(self, memory, place):
        class View(
            ModelPusherViewMixin,
            mixins.CreateModelMixin,
            mixins.DestroyModelMixin,
            mixins.ListModelMixin,
            viewsets.GenericViewSet,
        ):
            queryset = Place.objects.all()
            serializer_class = PlaceSerializer

        call(View, "create", {"name": "Pub"})
        call(View, "destroy", pk=place.pk)
        assert names(memory) == ["place.create", "place.delete"]


class TestAPIView:
    def test_pushes_what_it_is_told(self, memory, place):
        class View(ModelPusherViewMixin, APIView):
            def post(self, request):
                self.push_change("update", place)
                self.push("lobby", "bell.rung", {})
                self.push_change("closed")
                return Response(status=204)

        assert View.as_view()(APIRequestFactory().post("/")).status_code == 204
        assert names(memory) == ["place.update", "bell.rung"]

    def test_has_no_serializer_for_a_backend_without_one(self, pusher_events, place):
        backend(None, "bare", Meta=type("Meta", (), {"model": Place}))

        class View(ModelPusherViewMixin, APIView):
            def post(self, request):
                self.push_change("update", place)

        with pytest.raises(DeclarationError, match="serializer_class"):
            View.as_view()(APIRequestFactory().post("/"))


class TestActions:
    def test_push_what_they_are_told_and_leave_out_the_writer(self, memory, place):
        class View(viewset(Place, PlaceSerializer)):
            @action(detail=True, methods=["post"])
            def close(self, request, pk=None):
                place = self.get_object()
                self.push_change("closed", place)
                self.push_changes("counted", Place.objects.all())
                self.push("lobby", "bell.rung", {}, ignore=False)
                return Response(status=204)

        request = APIRequestFactory().post("/", headers={"X-Pusher-Socket-Id": "1.2"})
        assert View.as_view({"post": "close"})(request, pk=place.pk).status_code == 204
        assert [(event.name, event.socket_id) for event in memory] == [
            ("place.closed", "1.2"),
            ("place.counted", "1.2"),
            ("bell.rung", None),
        ]


class TestHooksOfOnesOwn:
    def test_with_super_push(self, memory):
        def perform_create(self, serializer):
            serializer.validated_data["name"] = "Pub"
            ModelPusherViewMixin.perform_create(self, serializer)

        view = viewset(Place, PlaceSerializer, perform_create=perform_create)
        call(view, "create", {"name": "Bar"})
        assert memory[0].json()["name"] == "Pub"

    def test_without_super_push_what_they_change(self, memory, place):
        view = viewset(
            Place,
            PlaceSerializer,
            perform_create=lambda self, serializer: serializer.save(),
            perform_update=lambda self, serializer: serializer.save(),
            perform_destroy=lambda self, instance: instance.delete(),
        )
        call(view, "create", {"name": "Pub"})
        call(view, "update", {"name": "Pub"}, pk=place.pk)
        call(view, "destroy", pk=place.pk)
        assert names(memory) == ["place.create", "place.update", "place.delete"]

    def test_in_front_of_a_finished_view_push_what_it_changes(self, memory, place):
        class Finished(viewsets.ModelViewSet):
            queryset = Place.objects.all()
            serializer_class = PlaceSerializer

            def perform_update(self, serializer):
                serializer.save(name="Finished")

        class Pushing(ModelPusherViewMixin, Finished):
            pass

        call(Pushing, "update", {"name": "Pub"}, pk=place.pk)
        call(Pushing, "destroy", pk=place.pk)
        assert [(event.name, event.json()["name"]) for event in memory] == [
            ("place.update", "Finished"),
            ("place.delete", "Finished"),
        ]

    def test_behind_other_bases_push_all_the_same(self, memory, place):
        class Backwards(viewsets.ModelViewSet, ModelPusherViewMixin):
            queryset = Place.objects.all()
            serializer_class = PlaceSerializer

        call(Backwards, "create", {"name": "Pub"})
        call(Backwards, "update", {"name": "Pub"}, pk=place.pk)
        call(Backwards, "destroy", pk=place.pk)
        assert names(memory) == ["place.create", "place.update", "place.delete"]

    def test_with_switches_that_are_off_push_nothing(self, memory, place):
        def perform_update(self, serializer):
            serializer.save()
            super(view, self).perform_update(serializer)

        view = viewset(Place, PlaceSerializer, perform_update=perform_update, push_updates=False)
        call(view, "update", {"name": "Pub"}, pk=place.pk)
        assert memory == []

    def test_that_call_each_other_push_once_each(self, memory, place):
        def perform_update(self, serializer):
            serializer.save()
            other = self.get_serializer(data={"name": "Copy"})
            other.is_valid(raise_exception=True)
            self.perform_create(other)

        view = viewset(Place, PlaceSerializer, perform_update=perform_update)
        call(view, "update", {"name": "Pub"}, pk=place.pk)
        assert sorted(names(memory)) == ["place.create", "place.update"]

    def test_that_delete_softly_say_what_it_is(self, memory):
        backend(serializer(City, "id", "gone"), "cities")
        Country.objects.create(code="pe", name="Peru")
        city = City.objects.create(country_id="Peru", name="Lima")

        def perform_destroy(self, instance):
            instance.gone = True
            instance.save()
            self.push_change("delete", instance)

        view = viewset(City, serializer(City), perform_destroy=perform_destroy)
        call(view, "destroy", pk=city.pk)
        assert told(memory) == [("city.delete", ("cities",), {"id": city.pk, "gone": True})]

    def test_that_save_in_a_durable_transaction(self, memory, place):
        def perform_update(self, serializer):
            with transaction.atomic(durable=True):
                super(view, self).perform_update(serializer)
                assert memory == []

        view = viewset(Place, PlaceSerializer, perform_update=perform_update)
        call(view, "update", {"name": "Pub"}, pk=place.pk)
        assert names(memory) == ["place.update"]

    def test_that_create_what_a_put_does_not_find(self, memory):
        class View(viewset(Ticket, serializer(Ticket))):
            def update(self, request, *args, **kwargs):
                try:
                    return super().update(request, *args, **kwargs)
                except Http404:
                    return self.create(request)

        backend(serializer(Ticket), "tickets")
        pk = "00000000-0000-4000-8000-000000000000"
        assert call(View, "update", {"text": "a"}, pk=pk).status_code == 201
        assert names(memory) == ["ticket.create"]


class TestSerializers:
    def test_that_return_something_else_from_save(self, memory):
        class Odd(PlaceSerializer):
            def save(self, **kwargs):
                super().save(**kwargs)
                return {"nothing": "of the kind"}

        response = call(viewset(Place, Odd), "create", {"name": "Bar"})
        assert memory[0].json() == response.data

    def test_that_save_no_object_push_nothing(self, memory):
        class Queued(serializers.Serializer):
            name = serializers.CharField()

            def save(self, **kwargs):
                """Leave it to a task."""

        assert call(viewset(Place, Queued), "create", {"name": "Bar"}).status_code == 201
        assert memory == []

    def test_that_write_and_those_that_read(self, memory):
        class Writes(serializers.ModelSerializer):
            code = serializers.CharField(write_only=True)

            class Meta:
                model = Place
                fields = ["name", "code"]

            def create(self, validated_data):
                return Place.objects.create(name=validated_data["name"] + validated_data["code"])

        call(viewset(Place, Writes), "create", {"name": "Bar", "code": "7"})
        place = Place.objects.get()
        assert memory[0].json() == {"id": place.pk, "name": "Bar7"}

    def test_of_each_action_render_for_a_backend_without_one(self, memory, place):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Place.objects.all()

            def get_serializer_class(self):
                short = self.action == "partial_update"
                return serializer(Place, "name") if short else PlaceSerializer

        backend(None, "bare", Meta=type("Meta", (), {"model": Place}))
        call(View, "partial_update", {"name": "Pub"}, pk=place.pk)
        call(View, "destroy", pk=place.pk)
        data = [event.json() for event in memory if event.channels == ("bare",)]
        assert data == [{"name": "Pub"}, {"id": place.pk, "name": "Pub"}]

    def test_of_a_list_create_each(self, memory):
        view = viewset(
            Place,
            PlaceSerializer,
            get_serializer=lambda self, **kw: PlaceSerializer(many=True, **kw),
        )
        call(view, "create", [{"name": "Bar"}, {"name": "Pub"}])
        assert [event.json()["name"] for event in memory] == ["Bar", "Pub"]


class TestVersions:
    def test_an_event_has_the_version_of_its_request(self, memory, settings):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Place.objects.all()

            def get_serializer_class(self):
                return PlaceSerializer if self.request.version == "2" else serializer(Place, "name")

        backend(None, "any", Meta=type("Meta", (), {"model": Place}))
        from rest_framework.versioning import AcceptHeaderVersioning as Versioning

        for version in "1", "2":
            headers = {"Accept": f"application/json; version={version}"}
            call(View, "create", {"name": "Bar"}, headers=headers, versioning_class=Versioning)
        sizes = [len(event.json()) for event in memory if event.channels == ("any",)]
        assert sizes == [1, 2]
        assert {len(e.json()) for e in memory if e.channels == ("places",)} == {2}


class TestQuerysets:
    def test_that_the_object_leaves_with_its_update(self, memory, place):
        view = viewset(Place, PlaceSerializer, queryset=Place.objects.filter(name="Bar"))
        assert call(view, "update", {"name": "Pub"}, pk=place.pk).status_code == 200
        assert told(memory) == [("place.update", ("places",), {"id": place.pk, "name": "Pub"})]

    def test_of_another_database_wait_for_its_transaction(self, memory):
        place = Place.objects.using("other").create(name="Bar")
        view = viewset(Place, PlaceSerializer, queryset=Place.objects.using("other"))
        for verb, data in ("update", {"name": "Pub"}), ("destroy", None):
            before = len(memory)
            with transaction.atomic("other"):
                transaction.atomic("default")(call)(view, verb, data, pk=place.pk)
                assert len(memory) == before
            assert len(memory) == before + 1
        assert names(memory) == ["place.update", "place.delete"]

    def test_of_a_router_wait_for_the_transaction_of_the_database_written_to(
        self, memory, settings
    ):
        class Router:
            def db_for_write(self, model, **hints):
                return "other"

        settings.DATABASE_ROUTERS = [Router()]
        with transaction.atomic("other"):
            call(viewset(Place, PlaceSerializer), "create", {"name": "Bar"})
            assert memory == []
        assert names(memory) == ["place.create"]


class TestWhatIsRefused:
    @pytest.mark.parametrize("verb", ["create", "update", "destroy"])
    @pytest.mark.parametrize(
        "attributes",
        [
            {"permission_classes": [permissions.IsAuthenticated]},
            {"throttle_classes": [type("No", (throttling.BaseThrottle,), {
                "allow_request": lambda self, request, view: False})]},
        ],
        ids=["permission", "throttle"],
    )  # fmt: skip
    def test_pushes_nothing(self, memory, place, verb, attributes):
        view = viewset(Place, PlaceSerializer, **attributes)
        response = call(view, verb, {"name": "Pub"}, pk=None if verb == "create" else place.pk)
        assert response.status_code in (401, 403, 429)
        assert memory == []

    def test_for_what_it_says_pushes_nothing(self, memory, place):
        view = viewset(Place, PlaceSerializer)
        assert call(view, "create", {"name": ""}).status_code == 400
        assert call(view, "update", {}, pk=place.pk).status_code == 400
        assert call(view, "destroy", pk=place.pk + 1).status_code == 404
        assert memory == []


class TestAtomicRequests:
    @pytest.fixture(autouse=True)
    def atomic(self, settings, monkeypatch):
        settings.ROOT_URLCONF = "tests.drf_features.urls"
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    def test_push_after_the_whole_request(self, memory):
        assert Client().post("/places/", {"name": "Bar"}).status_code == 201
        assert names(memory) == ["place.create"]

    def test_push_nothing_for_one_that_ends_in_an_error(self, memory):
        assert Client().post("/places/", {"name": "Bar", "fail": 1}).status_code == 400
        assert (memory, Place.objects.count()) == ([], 0)


class TestNestedRouters:
    @pytest.fixture(autouse=True)
    def cities(self, settings, own_registry):
        settings.ROOT_URLCONF = "tests.drf_features.nested"
        pytest.importorskip("rest_framework_nested", reason="drf-nested-routers is not installed")
        backend(serializer(City, "id", "name"))
        Country.objects.create(code="pe", name="Peru")

    def test_give_the_view_its_parents_for_channels(self, memory):
        city = Client().post("/countries/Peru/cities/", {"name": "Lima"}).json()
        Client().delete(f"/countries/Peru/cities/{city['id']}/")
        assert told(memory) == [
            ("city.create", ("countries.Peru.cities",), city),
            ("city.delete", ("countries.Peru.cities",), city),
        ]

    def test_are_named_in_the_url_of_what_is_too_large(self, memory, settings):
        settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES = 256
        created = Client().post("/countries/Peru/cities/", {"name": "L" * 300}).json()
        url = f"http://testserver/countries/Peru/cities/{created['id']}/"
        assert memory[0].json() == {"id": created["id"], "truncated": True, "url": url}
        assert Client().get(url).json() == created
