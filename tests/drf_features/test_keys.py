"""Primary keys and look-ups of each kind: in events, channels, references and moves."""

import uuid

import pytest
from rest_framework import permissions, serializers
from rest_framework.test import APIRequestFactory

from drf_model_pusher.backends import PrivatePusherBackend
from drf_model_pusher.exceptions import InvalidEventError
from drf_model_pusher.testing import assert_may_not_subscribe, assert_may_subscribe
from tests.drf_features.declared import backend, serializer, told, viewset
from tests.drf_features.models import BusyPlace, Cafe, City, Country, Place, Profile, Seat, Ticket
from tests.views import call

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


class No(permissions.BasePermission):
    def has_permission(self, request, view):
        return False


class SeatsOfAPlace:
    """As projects look up what has no single key."""

    def get_object(self):
        place, number = self.kwargs["pk"].split("-")
        return Seat.objects.get(place=place, number=number)


@pytest.fixture
def place():
    return Place.objects.create(name="Bar")


class TestUUID:
    def test_is_text_in_the_event_and_in_channels(self, memory):
        shape = serializer(Ticket)
        backend(shape, "tickets.{pk}")
        pk = call(viewset(Ticket, shape), "create", {"text": "a"}).data["id"]
        call(viewset(Ticket, shape), "destroy", pk=pk)
        assert told(memory) == [
            (f"ticket.{kind}", (f"tickets.{pk}",), {"id": pk, "text": "a"})
            for kind in ("create", "delete")
        ]
        assert memory[0].subject == f"drf_features.ticket:{uuid.UUID(pk)}"

    def test_is_text_in_a_reference(self, memory):
        shape = serializer(Ticket)
        backend(shape)
        pk = call(viewset(Ticket, shape), "create", {"text": "a" * 20_000}).data["id"]
        assert memory[0].json() == {"id": pk, "truncated": True}


class TestMultiTableInheritance:
    @pytest.fixture
    def shape(self):
        shape = serializer(Cafe, "id", "name", "seats")
        backend(shape, "cafes.{pk}", delete_data="key")
        return shape

    def test_pushes_the_child_by_its_own_backend(self, memory, shape):
        view = viewset(Cafe, shape)
        created = call(view, "create", {"name": "Central", "seats": 3}).data
        call(view, "destroy", pk=created["id"])
        channels = (f"cafes.{created['id']}",)
        assert told(memory) == [
            ("cafe.create", channels, created),
            ("cafe.delete", channels, {"id": created["id"]}),
        ]

    def test_is_known_by_the_key_that_serializers_render_when_too_large(self, memory, shape):
        shape.to_representation = lambda self, cafe: {"text": "a" * 20_000}
        call(viewset(Cafe, shape), "create", {"name": "Central"})
        assert memory[0].json() == {"id": Cafe.objects.get().pk, "truncated": True}

    def test_in_a_view_of_its_parent_is_pushed_by_both(self, memory, shape):
        backend(serializer(Place), "places")
        cafe = Cafe.objects.create(name="Central")
        view = viewset(Place, serializer(Place), get_object=lambda self: cafe)
        call(view, "partial_update", {"name": "Corner"}, pk=cafe.pk)
        call(view, "destroy", pk=cafe.pk)
        assert sorted((event.name, event.json().get("name")) for event in memory) == [
            ("cafe.delete", None),
            ("cafe.update", "Corner"),
            ("place.delete", "Corner"),
            ("place.update", "Corner"),
        ]

    def test_does_not_push_the_child_by_a_backend_of_its_parent(self, memory):
        backend(serializer(Place), "places")
        call(viewset(Cafe, serializer(Cafe)), "create", {"name": "Central"})
        assert memory == []


class TestProxy:
    def test_is_pushed_as_its_concrete_model(self, memory, place):
        backend(serializer(Place), "places")
        view = viewset(BusyPlace, serializer(BusyPlace))
        call(view, "partial_update", {"name": "Pub"}, pk=place.pk)
        assert told(memory) == [("place.update", ("places",), {"id": place.pk, "name": "Pub"})]

    def test_is_pushed_by_backends_of_its_own(self, memory, place):
        backend(serializer(Place), "places")
        backend(serializer(BusyPlace), "busy")
        view = viewset(BusyPlace, serializer(BusyPlace))
        call(view, "destroy", pk=place.pk)
        assert told(memory) == [("busyplace.delete", ("busy",), {"id": place.pk, "name": "Bar"})]


class TestForeignKeyAsPrimaryKey:
    def test_is_known_by_its_value(self, memory, place):
        shape = serializer(Profile)
        backend(shape, "profiles.{pk}", delete_data="key")
        Profile.objects.create(place=place, text="a")
        call(viewset(Profile, shape), "destroy", pk=place.pk)
        key = {"place": place.pk}
        assert told(memory) == [("profile.delete", (f"profiles.{place.pk}",), key)]


class TestCompositePrimaryKey:
    @pytest.fixture
    def seat(self, place):
        return Seat.objects.create(place=place, number=7, text="a")

    @pytest.fixture
    def shape(self):
        return serializer(Seat, "place", "number", "text")

    def test_is_pushed_to_channels_of_its_fields(self, memory, place, seat, shape):
        backend(shape, "seats.{place_id}.{number}")
        view = viewset(Seat, shape, get_object=SeatsOfAPlace.get_object)
        call(view, "partial_update", {"text": "b"}, pk=f"{place.pk}-7")
        call(view, "destroy", pk=f"{place.pk}-7")
        channels, data = (f"seats.{place.pk}.7",), {"place": place.pk, "number": 7, "text": "b"}
        assert told(memory) == [("seat.update", channels, data), ("seat.delete", channels, data)]
        assert memory[0].subject == f"drf_features.seat:({place.pk}, 7)"

    def test_is_known_by_its_fields_in_keys_and_references(self, memory, place, seat, shape):
        backend(shape, "seats", delete_data="key")
        view = viewset(Seat, shape, get_object=SeatsOfAPlace.get_object)
        call(view, "partial_update", {"text": "b" * 20_000}, pk=f"{place.pk}-7")
        call(view, "destroy", pk=f"{place.pk}-7")
        key = {"place": place.pk, "number": 7}
        assert [data for _, _, data in told(memory)] == [{**key, "truncated": True}, key]

    def test_may_be_subscribed_to_under_rules(self, place, seat, shape):
        rules = {"base": PrivatePusherBackend, "permission_classes": [permissions.AllowAny]}
        backend(shape, "seats.{place_id}.{number}", **rules)
        backend(shape, "hidden.{place_id}.{number}", **rules | {"permission_classes": [No]})
        assert_may_subscribe(None, f"private-seats.{place.pk}.7")
        assert_may_not_subscribe(None, f"private-hidden.{place.pk}.7")

    def test_in_a_channel_is_an_error_that_says_what_to_write(self, seat, shape, pusher_events):
        with pytest.raises(InvalidEventError, match=r"several fields.*one by one"):
            backend(shape, "seats.{pk}")().push_change("update", seat)


class TestLookups:
    def test_by_a_renamed_primary_key_and_to_field(self, memory):
        shape = serializer(Country)
        backend(shape, "countries.{pk}", delete_data="key")
        Country.objects.create(code="pe", name="Peru")
        view = viewset(Country, shape, lookup_field="code", lookup_url_kwarg="pk")
        call(view, "partial_update", {"name": "Perú"}, pk="pe")
        call(view, "destroy", pk="pe")
        assert told(memory) == [
            ("country.update", ("countries.pe",), {"code": "pe", "name": "Perú"}),
            ("country.delete", ("countries.pe",), {"code": "pe"}),
        ]

    def test_through_to_field_in_channels(self, memory):
        shape = serializer(City, "name", "country")
        backend(shape, "countries.{country_id}", "codes.{country__code}")
        Country.objects.create(code="pe", name="Peru")
        call(viewset(City, shape), "create", {"name": "Lima", "country": "Peru"})
        assert told(memory)[0][1] == ("countries.Peru", "codes.pe")

    def test_by_a_foreign_key_are_known_by_its_value(self, memory, place):
        shape = serializer(Profile, "text")
        backend(shape, "profiles", delete_data="key")
        Profile.objects.create(place=place, text="a")
        view = viewset(Profile, shape, lookup_field="place", lookup_url_kwarg="pk")
        call(view, "destroy", pk=place.pk)
        assert memory[0].json() == {"place": place.pk}


class TestHyperlinks:
    def test_are_absolute_and_of_the_host_that_was_asked(self, memory, settings):
        class Linked(serializers.HyperlinkedModelSerializer):
            mine = serializers.SerializerMethodField()

            class Meta:
                model = Country
                fields = ["url", "name", "mine"]

            def get_mine(self, country):
                return self.context["request"].headers["X-Me"]

        settings.ROOT_URLCONF = "tests.drf_features.urls"
        backend(Linked, "countries")
        view = viewset(Country, Linked)
        Country.objects.create(code="pe", name="Peru")
        request = APIRequestFactory().patch(
            "/", {"name": "Perú"}, format="json", headers={"Host": "testserver", "X-Me": "ada"}
        )
        response = view.as_view({"patch": "partial_update"})(request, pk="pe")
        assert memory[0].json() == response.data
        assert memory[0].json() == {
            "url": "http://testserver/countries/pe/",
            "name": "Perú",
            "mine": "ada",
        }
