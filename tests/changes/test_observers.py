"""Changes that are made outside views."""

import pytest
from django.core import serializers as fixtures
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.registry import registry
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, ExpressParcel, Item, OldParcel, Parcel, Seat, Tag
from tests.depot.serializers import ParcelSerializer
from tests.drf_features.models import Ticket
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

SOCKET = {"X-Pusher-Socket-Id": "1.2"}


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = ParcelSerializer


class TestObserving:
    def test_pushes_each_kind_of_change_wherever_it_is_made(self, declare, told, customer):
        declare(observe=True)
        parcel = Parcel.objects.create(customer=customer)
        parcel.state = "sent"
        parcel.save()
        parcel.delete()
        assert told() == [
            "parcels: parcel.create",
            "parcels: parcel.update",
            "parcels: parcel.delete",
        ]

    def test_pushes_the_kinds_that_are_named(self, declare, told, customer):
        declare(observe={"delete"})
        parcel = Parcel.objects.create(customer=customer)
        parcel.save()
        parcel.delete()
        assert told() == ["parcels: parcel.delete"]

    def test_pushes_nothing_where_it_is_not_asked_for(self, declare, told, parcel):
        declare()
        parcel.save()
        parcel.delete()
        assert told() == []

    def test_ends_when_the_backend_is_forgotten(self, declare, told, parcel):
        registry.unregister(declare(observe=True))
        parcel.save()
        assert told() == []

    def test_carries_what_a_deleted_object_was(self, declare, memory, parcel):
        declare(observe={"delete"})
        pk = parcel.pk
        parcel.delete()
        assert memory[0].json()["id"] == pk

    def test_waits_for_the_commit(self, declare, told, parcel):
        declare(observe=True)
        with transaction.atomic():
            parcel.save()
            assert told() == []
        assert told() == ["parcels: parcel.update"]

    def test_pushes_nothing_of_a_deletion_that_fails(self, declare, told, parcel, monkeypatch):
        declare(observe=True)
        Item.objects.create(parcel=parcel, text="tea")
        monkeypatch.setattr("django.db.models.sql.DeleteQuery.delete_batch", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            parcel.delete()
        assert told() == []

    def test_pushes_nothing_of_a_deletion_that_is_rolled_back(self, declare, told, parcel):
        declare(observe=True)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            parcel.delete()
            raise ZeroDivisionError
        assert told() == []

    def test_does_not_hear_of_the_relations_of_fixtures(self, declare, told, parcel):
        parcel.tags.add(Tag.objects.create(text="red"))
        text = fixtures.serialize("json", [parcel])
        parcel.delete()
        declare(observe=True)
        for each in fixtures.deserialize("json", text):
            each.save()
        assert Parcel.objects.get().tags.count() == 1
        assert told() == []

    def test_does_not_hear_of_fixtures(self, declare, told, parcel):
        declare(observe=True)
        text = fixtures.serialize("json", [parcel])
        for each in fixtures.deserialize("json", text):
            each.save()
        assert told() == []

    def test_is_of_the_database_that_was_written(self, declare, told, settings):
        declare(observe=True)
        customer = Customer.objects.using("other").create(slug="bo")
        with transaction.atomic(using="other"):
            Parcel.objects.using("other").create(customer=customer)
            with transaction.atomic(using="default"):
                pass
            assert told() == []
        assert told() == ["parcels: parcel.create"]

    def test_is_refused_where_only_a_view_knows_the_channels(self, own_registry):
        with pytest.raises(DeclarationError, match=r"Backend observes.*channels"):

            class Backend(PusherBackend):
                serializer_class = ParcelSerializer

                class Meta:
                    observe = True

    def test_of_something_else_is_an_error(self, declare):
        with pytest.raises(DeclarationError, match="'destroy'"):
            declare(observe={"destroy"})

    def test_is_off_when_pushes_are_disabled(self, declare, told, parcel, settings):
        declare(observe=True, channels=["parcels.{customer_id}"])
        settings.DRF_MODEL_PUSHER_DISABLED = True
        with CaptureQueriesContext(
            connection,
        ) as queries:
            parcel.save()
        assert (told(), len(queries)) == ([], 1)

    def test_logs_a_wrong_setting_instead_of_failing_a_save(
        self, declare, settings, parcel, caplog
    ):
        declare(observe=True)
        settings.DRF_MODEL_PUSHER_DELIVERY = "nowhere"
        parcel.state = "sent"
        parcel.save()
        parcel.delete()
        assert "DRF_MODEL_PUSHER_DELIVERY" in caplog.text


class TestFamilies:
    def test_a_proxy_is_its_model(self, declare, told, customer):
        declare(observe=True)
        old = OldParcel.objects.create(customer=customer)
        old.delete()
        assert told() == ["parcels: parcel.create", "parcels: parcel.delete"]

    def test_a_proxy_with_a_backend_is_itself(self, declare, told, customer):
        declare(observe=True)
        declare(
            channels=["old"],
            serializer_class=type(
                "Old",
                (ParcelSerializer,),
                {"Meta": type("Meta", (ParcelSerializer.Meta,), {"model": OldParcel})},
            ),
            Meta=type("Meta", (), {"observe": True, "model": OldParcel}),
        )
        OldParcel.objects.create(customer=customer)
        Parcel.objects.create(customer=customer)
        assert told() == ["old: oldparcel.create", "parcels: parcel.create"]

    def test_a_child_changes_its_parent_too(self, declare, told, memory, customer):
        declare(observe=True)
        express = ExpressParcel.objects.create(customer=customer)
        express.state = "sent"
        express.save()
        express.delete()
        assert told() == [
            "parcels: parcel.create",
            "parcels: parcel.update",
            "parcels: parcel.delete",
        ]
        assert len({event.subject for event in memory}) == 1

    def test_cascades_reach_each_observed_model(self, declare, declare_items, told, parcel):
        declare(observe=True)
        declare_items(observe=True)
        Item.objects.create(parcel=parcel, text="tea")
        parcel.customer.delete()
        assert sorted(told()) == [
            "items: item.create",
            "items: item.delete",
            "parcels: parcel.delete",
        ]


class TestRelations:
    @pytest.fixture
    def tags(self):
        return [Tag.objects.create(text=text) for text in ("a", "b")]

    @pytest.fixture(autouse=True)
    def backend(self, declare, parcel):
        return declare(observe={"m2m"})

    def test_added_removed_and_cleared_are_updates(self, told, parcel, tags):
        parcel.tags.add(*tags)
        parcel.tags.remove(tags[0])
        parcel.tags.clear()
        assert told() == ["parcels: parcel.update"] * 3

    def test_that_do_not_change_are_silent(self, told, parcel, tags):
        parcel.tags.add(tags[0])
        parcel.tags.add(tags[0])
        parcel.tags.remove(tags[1])
        assert told() == ["parcels: parcel.update"]

    def test_changed_from_the_other_side_are_updates_of_each(self, memory, parcel, customer, tags):
        other = Parcel.objects.create(customer=customer)
        tags[0].parcels.set([parcel, other])
        tags[0].parcels.clear()
        assert [event.json()["id"] for event in memory] == [parcel.pk, other.pk] * 2

    def test_are_one_update_in_a_transaction(self, told, parcel, tags):
        parcel.tags.add(tags[0])
        with transaction.atomic():
            parcel.tags.set([tags[1]])
        assert told() == ["parcels: parcel.update"] * 2

    def test_rolled_back_are_silent(self, told, parcel, tags):
        with transaction.atomic(), pytest.raises(ZeroDivisionError), transaction.atomic():
            parcel.tags.add(tags[0])
            raise ZeroDivisionError
        assert told() == []


class TestCreationsWithRelations:
    def test_are_one_event_with_all(self, declare, memory, customer):
        from rest_framework.serializers import ModelSerializer

        class Tagged(ModelSerializer):
            class Meta:
                model = Parcel
                fields = ["id", "tags"]

        declare(observe=True, serializer_class=Tagged)
        tag = Tag.objects.create(text="a")
        with transaction.atomic():
            parcel = Parcel.objects.create(customer=customer)
            parcel.tags.add(tag)
            parcel.save()
        assert [(e.name, e.json()) for e in memory] == [
            ("parcel.create", {"id": parcel.pk, "tags": [tag.pk]})
        ]


class TestMoves:
    def test_between_channels_are_as_in_views(self, declare, told, parcel):
        declare(observe=True, channels=["c{customer_id}"])
        first, second = parcel.customer, Customer.objects.create(slug="bo")
        parcel.customer = second
        parcel.save()
        assert told() == [
            f"c{first.pk}: parcel.delete",
            f"c{second.pk}: parcel.create",
        ]

    def test_of_an_object_that_was_never_loaded(self, declare, told, parcel):
        declare(observe=True, channels=["c{customer_id}"])
        first, second = parcel.customer, Customer.objects.create(slug="bo")
        Parcel(pk=parcel.pk, customer=second).save()
        assert told() == [f"c{first.pk}: parcel.delete", f"c{second.pk}: parcel.create"]

    def test_cost_no_query_more_for_creations_whose_key_the_database_makes(
        self, declare, memory, customer
    ):
        declare(observe={"create", "update"}, channels=["c{customer_id}"])
        with CaptureQueriesContext(connection) as queries:
            Parcel.objects.create(customer=customer)
        assert len(queries) == 2  # the save, and the row after it

    def test_cost_no_query_more_for_creations_with_a_default_key(self, declare, memory):
        class TicketSerializer(serializers.ModelSerializer):
            class Meta:
                model = Ticket
                fields = ["id", "text"]

        declare(observe=True, serializer_class=TicketSerializer, channels=["{text}"])
        with CaptureQueriesContext(connection) as queries:
            Ticket.objects.create(text="a")
        assert [event.name for event in memory] == ["ticket.create"]
        assert len(queries) == 2  # the save, and the row after it

    def test_cost_no_query_more_where_channels_cannot_change(self, declare, parcel):
        declare(observe={"update"}, channels=["all", "parcels.{pk}"])
        with CaptureQueriesContext(connection) as queries:
            parcel.save()
        assert len(queries) == 2  # the save, and the row after it

    def test_cost_no_query_more_where_other_fields_are_saved(self, declare, parcel):
        declare(observe={"update"}, channels=["c{customer_id}"])
        with CaptureQueriesContext(connection) as queries:
            parcel.save(update_fields=["state"])
        assert len(queries) == 2  # the save, and the row after it

    def test_is_told_though_a_receiver_saves_again(self, own_registry, declare, told, parcel):
        def save_again(instance, **kwargs):
            if instance.state == "sent":
                instance.state = "kept"
                instance.save()

        post_save.connect(save_again, sender=Parcel)  # before the observers are
        try:
            declare(observe=True, channels=["parcels-{state}"])
            parcel.state = "sent"
            parcel.save()
        finally:
            post_save.disconnect(save_again, sender=Parcel)
        assert "parcels-open: parcel.delete" in told()

    def test_of_all_parts_of_a_primary_key_there_are_none(self, declare, memory):
        class SeatSerializer(serializers.ModelSerializer):
            class Meta:
                model = Seat
                fields = ["row", "number", "taken"]

        seat = Seat.objects.create(row=1, number=2)
        declare(observe=True, serializer_class=SeatSerializer, channels=["seats.{row}.{number}"])
        with CaptureQueriesContext(connection) as queries:
            seat.save()
        assert [event.name for event in memory] == ["seat.update"]
        assert sum(query["sql"].startswith("SELECT") for query in queries) == 1  # after the save


class TestInsideAView:
    """A change that a view makes is pushed once, with its request."""

    @pytest.fixture
    def seen(self, memory):
        return lambda: [(event.name, event.socket_id) for event in memory]

    def test_its_own_changes_are_pushed_by_the_view(self, declare, seen, customer):
        declare(observe=True)
        data = {"customer": customer.pk}
        pk = call(ParcelViewSet, "create", data, headers=SOCKET).data["id"]
        call(ParcelViewSet, "partial_update", {"state": "sent"}, pk=pk, headers=SOCKET)
        call(ParcelViewSet, "destroy", pk=pk, headers=SOCKET)
        assert seen() == [
            ("parcel.create", "1.2"),
            ("parcel.update", "1.2"),
            ("parcel.delete", "1.2"),
        ]

    def test_saved_twice_in_the_serializer_is_one_creation(self, declare, seen, customer):
        class Twice(ParcelSerializer):
            def create(self, validated_data):
                parcel = super().create(validated_data)
                parcel.save()
                return parcel

        declare(observe={"create", "update"})
        call(ParcelViewSet, "create", {"customer": customer.pk}, serializer_class=Twice)
        assert seen() == [("parcel.create", None)]

    def test_saved_again_is_pushed_once_as_it_is_at_the_end(self, declare, seen, memory, customer):
        class View(ParcelViewSet):
            def perform_create(self, serializer):
                super().perform_create(serializer)
                serializer.instance.state = "sent"
                serializer.instance.save()

        declare(observe=True)
        call(View, "create", {"customer": customer.pk}, headers=SOCKET)
        assert seen() == [("parcel.create", "1.2")]
        assert memory[-1].json()["state"] == "sent"

    def test_without_super_the_observer_pushes(self, declare, seen, customer):
        class View(ParcelViewSet):
            def perform_create(self, serializer):
                serializer.save()

        declare(observe=True)
        call(View, "create", {"customer": customer.pk}, headers=SOCKET)
        assert seen() == [("parcel.create", "1.2")]

    def test_pushed_by_hand_after_a_save_is_pushed_once(self, declare, seen, parcel):
        class View(ParcelViewSet):
            def perform_update(self, serializer):
                self.push_change("update", serializer.save())

            def perform_destroy(self, instance):
                with transaction.atomic():
                    self.push_change("delete", instance, pre_destroy=True)
                    instance.delete()

        declare(observe=True)
        call(View, "partial_update", {"state": "sent"}, pk=parcel.pk)
        call(View, "destroy", pk=parcel.pk)
        assert seen() == [("parcel.update", None), ("parcel.delete", None)]

    def test_pushed_by_hand_after_a_save_that_was_rolled_back_is_pushed(
        self, declare, seen, parcel
    ):
        class View(ParcelViewSet):
            def perform_update(self, serializer):
                with pytest.raises(ZeroDivisionError), transaction.atomic():
                    serializer.instance.save()
                    raise ZeroDivisionError
                Parcel._base_manager.update(state="sent")
                self.push_change("update", serializer.instance)

        declare(observe=True)
        with transaction.atomic():
            call(View, "partial_update", {}, pk=parcel.pk)
        call(View, "partial_update", {}, pk=parcel.pk)
        assert seen() == [("parcel.update", None)] * 2

    def test_pushed_by_hand_it_is_once_though_a_later_save_was_rolled_back(
        self, declare, seen, parcel
    ):
        class View(ParcelViewSet):
            def perform_update(self, serializer):
                serializer.save()
                with pytest.raises(ZeroDivisionError), transaction.atomic():
                    serializer.instance.save()
                    raise ZeroDivisionError
                self.push_change("update", serializer.instance)

        declare(observe=True)
        with transaction.atomic():
            call(View, "partial_update", {}, pk=parcel.pk)
        call(View, "partial_update", {}, pk=parcel.pk)
        assert seen() == [("parcel.update", None)] * 2

    def test_deleted_after_a_deletion_that_was_rolled_back_is_pushed(self, declare, seen, parcel):
        class View(ParcelViewSet):
            def perform_destroy(self, instance):
                with pytest.raises(ZeroDivisionError), transaction.atomic():
                    self.push_change("delete", instance, pre_destroy=True)
                    raise ZeroDivisionError
                instance.delete()

        declare(observe=True)
        call(View, "destroy", pk=parcel.pk)
        assert seen() == [("parcel.delete", None)]

    def test_of_a_line_too(self, declare, declare_items, seen, parcel):
        class WithLine(ParcelSerializer):
            def save(self, **kwargs):
                parcel = super().save(**kwargs)
                item = Item.objects.create(parcel=parcel, text="tea")
                self.context["view"].push_change("create", item)
                return parcel

        declare_items(observe=True)
        data = {"customer": parcel.customer_id}
        call(ParcelViewSet, "create", data, serializer_class=WithLine)
        call(ParcelViewSet, "update", data, pk=parcel.pk, serializer_class=WithLine)
        assert seen() == [("item.create", None)] * 2

    def test_an_object_of_another_database_with_its_key_is_another(self, declare, seen, parcel):
        class View(ParcelViewSet):
            def perform_update(self, serializer):
                super().perform_update(serializer)

        class Copied(ParcelSerializer):
            def update(self, instance, validated_data):
                parcel = super().update(instance, validated_data)
                customer = Customer.objects.using("other").create(slug="bo")
                Parcel(pk=parcel.pk, customer=customer, state="copied").save(using="other")
                return parcel

        declare(observe=True)
        call(View, "partial_update", {}, pk=parcel.pk, serializer_class=Copied)
        assert seen() == [("parcel.create", None), ("parcel.update", None)]

    def test_an_action_that_saves_leaves_out_its_writer(self, declare, seen, parcel):
        class View(ParcelViewSet):
            @action(detail=True)
            def update(self, request, pk=None):
                self.get_object().save()
                return Response()

        declare(observe=True)
        call(View, "update", pk=parcel.pk, headers=SOCKET)
        assert seen() == [("parcel.update", "1.2")]

    def test_other_objects_are_pushed_with_the_request(self, declare, declare_items, seen, parcel):
        class View(ParcelViewSet):
            def perform_create(self, serializer):
                super().perform_create(serializer)

        class WithItem(ParcelSerializer):
            def create(self, validated_data):
                parcel = super().create(validated_data)
                Item.objects.create(parcel=parcel, text="tea")
                return parcel

        declare(observe=True)
        declare_items(observe=True)
        call(
            View,
            "create",
            {"customer": parcel.customer_id},
            serializer_class=WithItem,
            headers=SOCKET,
        )
        assert seen() == [("parcel.create", "1.2"), ("item.create", "1.2")]
        call(ParcelViewSet, "destroy", pk=parcel.pk + 1, headers=SOCKET)
        assert sorted(seen()[2:]) == [("item.delete", "1.2"), ("parcel.delete", "1.2")]

    def test_objects_whose_savepoint_was_rolled_back_are_silent(self, declare_items, told, parcel):
        class WithItem(ParcelSerializer):
            def create(self, validated_data):
                with pytest.raises(ZeroDivisionError), transaction.atomic():
                    Item.objects.create(parcel=parcel, text="tea")
                    raise ZeroDivisionError
                return super().create(validated_data)

        declare_items(observe=True)
        with transaction.atomic():
            call(
                ParcelViewSet,
                "create",
                {"customer": parcel.customer_id},
                serializer_class=WithItem,
            )
        assert told() == []

    def test_what_was_saved_before_an_error_is_pushed(self, declare_items, told, parcel):
        class Failing(ParcelSerializer):
            def create(self, validated_data):
                Item.objects.create(parcel=parcel, text="tea")
                raise ZeroDivisionError

        declare_items(observe=True)
        with pytest.raises(ZeroDivisionError):
            call(
                ParcelViewSet, "create", {"customer": parcel.customer_id}, serializer_class=Failing
            )
        assert told() == ["items: item.create"]

    def test_a_view_that_does_not_push_keeps_its_own_changes_silent(self, declare, told, parcel):
        declare(observe=True)
        call(ParcelViewSet, "destroy", pk=parcel.pk, push_deletions=False)
        assert told() == []

    def test_the_next_request_is_not_affected(self, declare, seen, parcel):
        declare(observe=True)
        call(ParcelViewSet, "partial_update", {}, pk=parcel.pk, headers=SOCKET)
        parcel.save()
        assert seen() == [("parcel.update", "1.2"), ("parcel.update", None)]

    def test_what_is_made_and_deleted_meanwhile_was_never_there(
        self, declare_items, memory, customer
    ):
        class Serializer(ParcelSerializer):
            def create(self, validated_data):
                parcel = super().create(validated_data)
                Item.objects.create(parcel=parcel, text="tea").delete()
                return parcel

        declare_items(observe=True)
        view = type("View", (ParcelViewSet,), {"serializer_class": Serializer})
        response = call(view, "create", {"customer": customer.pk})
        assert response.status_code == 201
        assert memory == []


class TestRendering:
    def test_by_hyperlinks_is_relative_without_a_request(self, declare, memory, parcel, settings):
        from rest_framework import serializers

        class Linked(serializers.ModelSerializer):
            url = serializers.HyperlinkedIdentityField(view_name="parcel-detail")
            who = serializers.SerializerMethodField()

            class Meta:
                model = Parcel
                fields = ["url", "who"]

            def get_who(self, parcel):
                return str(self.context["request"].user)

        settings.ROOT_URLCONF = "tests.depot.urls"
        declare(observe={"update"}, serializer_class=Linked)
        parcel.save()
        settings.DRF_MODEL_PUSHER_BASE_URL = "https://api.example.com"
        parcel.save()
        path = f"/parcels/{parcel.pk}/"
        assert [event.json() for event in memory] == [
            {"url": path, "who": "AnonymousUser"},
            {"url": f"https://api.example.com{path}", "who": "AnonymousUser"},
        ]


class TestInsideAnAsyncView:
    def test_other_objects_are_pushed_with_the_request(self, declare_items, memory, parcel):
        views = pytest.importorskip("adrf.viewsets")
        from asgiref.sync import async_to_sync
        from rest_framework.test import APIRequestFactory

        class View(ModelPusherViewMixin, views.ModelViewSet):
            queryset = Parcel.objects.all()
            serializer_class = ParcelSerializer

            async def retrieve(self, request, pk=None):
                await Item.objects.acreate(parcel=parcel, text="tea")
                return Response()

        declare_items(observe=True)
        request = APIRequestFactory().get("/", headers=SOCKET)
        async_to_sync(View.as_view({"get": "retrieve"}))(request, pk=parcel.pk)
        assert [(event.name, event.socket_id) for event in memory] == [("item.create", "1.2")]
