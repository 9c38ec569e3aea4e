"""Which changes count, and what they are to subscribers."""

import asyncio
import threading

import pytest
from django.db import transaction
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.suppressing import is_suppressed, suppress_pushes
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Item, Parcel, Tag
from tests.depot.serializers import ParcelSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True)


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = ParcelSerializer


@pytest.fixture(params=["view", "observer"])
def update(request, parcel):
    """Update the parcel through a view, or without one."""

    def by_view(**fields):
        call(ParcelViewSet, "partial_update", fields, pk=parcel.pk)

    def by_observer(**fields):
        vars(parcel).update(fields)
        parcel.save()

    update = {"view": by_view, "observer": by_observer}[request.param]
    update.kind = request.param
    return update


class TestOnlyWhen:
    def test_an_update_of_something_else_is_silent(self, declare, told, update):
        declare(observe={"update"}, only_when={"state"})
        update(weight="2.00")
        update(state="open")  # what it was
        assert told() == []
        update(state="sent")
        assert told() == ["parcels: parcel.update"]

    def test_creations_and_deletions_count(self, declare, told, customer):
        declare(observe=True, only_when={"state"})
        Parcel.objects.create(customer=customer).delete()
        assert told() == ["parcels: parcel.create", "parcels: parcel.delete"]

    def test_a_move_counts(self, declare, told, update, parcel):
        declare(observe={"update"}, only_when={"state"}, channels=["c{customer_id}"])
        first, other = parcel.customer_id, Customer.objects.create(slug="bo")
        update(**{"customer" if update.kind == "view" else "customer_id": other.pk})
        assert told() == [f"c{first}: parcel.delete", f"c{other.pk}: parcel.create"]

    def test_what_nobody_knows_counts(self, declare, told, parcel):
        backend = declare(only_when={"state"})
        backend().push_change("update", parcel)
        assert told() == ["parcels: parcel.update"]

    def test_fields_that_are_saved_alone_need_no_query(self, declare, told, parcel):
        declare(observe={"update"}, only_when={"state"})
        parcel.state = "sent"
        parcel.save(update_fields=["weight"])
        assert told() == []

    def test_a_relation_that_the_request_names_counts(self, declare, told, parcel):
        class Tagged(serializers.ModelSerializer):
            class Meta:
                model = Parcel
                fields = ["id", "state", "tags"]

        tag = Tag.objects.create(text="a")
        declare(only_when={"tags"})
        for data in ({"state": "sent"}, {"tags": [tag.pk]}):
            call(ParcelViewSet, "partial_update", data, pk=parcel.pk, serializer_class=Tagged)
        assert told() == ["parcels: parcel.update"]

    def test_a_field_that_there_is_not_is_an_error(self, declare):
        with pytest.raises(DeclarationError, match="only_when names 'total'"):
            declare(only_when={"total"})


class TestTexts:
    @pytest.mark.parametrize(
        ("name", "given", "kept"),
        [
            ("only_when", "state", ("state",)),
            ("touches", "customer", ("customer",)),
            ("observe", "create", {"create"}),
        ],
    )
    def test_are_one_name(self, declare, name, given, kept):
        assert getattr(declare(**{name: given}), name) == kept

    @pytest.mark.parametrize("limit", ["5", -1, True, 2.5])
    def test_are_no_limit(self, declare, limit):
        with pytest.raises(DeclarationError, match="bulk_limit"):
            declare(bulk_limit=limit)


class TestShouldPush:
    def test_decides_with_what_has_changed(self, declare, told, update):
        seen = []

        def should_push(self, event, instance):
            seen.append((event, self.changed_fields))
            return instance.state == "sent"

        declare(observe={"update"}, should_push=should_push)
        update(weight="2.00")
        update(state="sent")
        assert seen == [("update", {"weight"}), ("update", {"state"})]
        assert told() == ["parcels: parcel.update"]

    def test_decides_about_many(self, declare, told, parcel):
        backend = declare(should_push=lambda self, event, instance: instance.state == "sent")
        backend().push_many("update", [parcel])
        assert told() == []


class TestVerbs:
    def test_of_ones_own_keep_their_name(self, declare, told, parcel):
        declare()().push_change("archived", parcel)
        assert told() == ["parcels: parcel.archived"]

    def test_that_are_declared_read_as_what_they_are(self, declare, memory, parcel):
        verbs = {"archived": "delete", "restored": "create"}
        backend = declare(events=verbs, delete_data="key")
        for verb in verbs:
            backend().push_change(verb, parcel)
        assert [(e.name, e.change, len(e.json())) for e in memory] == [
            ("parcel.delete", "delete", 1),
            ("parcel.create", "create", 4),
        ]

    def test_a_save_may_be_a_soft_deletion(self, declare, told, update):
        def resolve_event(self, event, instance):
            if event == "update" and "state" in (self.changed_fields or ()):
                return "delete" if instance.state == "gone" else "create"
            return super(PusherBackend, self).resolve_event(event, instance)

        declare(observe={"update"}, resolve_event=resolve_event)
        for fields in ({"weight": "2.00"}, {"state": "gone"}, {"state": "open"}):
            update(**fields)
        assert [line.split(".")[1] for line in told()] == ["update", "delete", "create"]


class TestSuppressing:
    def test_a_block_is_silent(self, declare, told, parcel):
        backend = declare(observe=True)
        with suppress_pushes():
            parcel.save()
            backend().push_many("update", [parcel])
            Parcel.objects.update(state="sent")
            call(ParcelViewSet, "partial_update", {"state": "open"}, pk=parcel.pk)
            parcel.delete()
        assert told() == []

    def test_so_is_a_push_of_anything_else(self, told, parcel):
        class View(ParcelViewSet):
            @action(detail=True)
            def update(self, request, pk=None):
                with suppress_pushes():
                    self.push("bell", "ring", {})
                with suppress_pushes(PusherBackend):
                    self.push("bell", "ring", {})
                return Response()

        call(View, "update", pk=parcel.pk)
        assert told() == ["bell: ring"]

    def test_of_one_backend_leaves_others(self, declare, told, parcel):
        silent = declare(observe=True)
        declare(observe=True, channels=["loud"])
        with suppress_pushes(silent):
            parcel.save()
        parcel.delete()
        assert told() == ["loud: parcel.update", "parcels: parcel.delete", "loud: parcel.delete"]

    def test_of_one_backend_is_of_what_others_touch(self, declare, declare_items, told, parcel):
        silent = declare()
        lines = declare_items(observe=True, touches=["parcel"])
        with transaction.atomic(), suppress_pushes(silent):
            Item.objects.create(parcel=parcel, text="tea")
            lines().push_many("update", Item.objects.all())
        assert told() == ["items: item.create"]

    def test_blocks_stand_in_each_other(self, declare, told, parcel):
        one, two = declare(observe=True), declare(observe=True, channels=["two"])
        with suppress_pushes(one):
            with suppress_pushes(two):
                parcel.save()
            parcel.save()
        assert told() == ["two: parcel.update"]

    def test_ends_with_an_error(self, declare, told, parcel):
        declare(observe=True)
        with pytest.raises(ZeroDivisionError), suppress_pushes():
            raise ZeroDivisionError
        parcel.save()
        assert told() == ["parcels: parcel.update"]

    def test_decorates_functions_sync_and_async(self, declare, told, parcel):
        declare(observe=True)

        @suppress_pushes()
        def save():
            parcel.save()
            return 1

        @suppress_pushes()
        async def asave():
            await parcel.asave()
            return 2

        assert (save(), asyncio.run(asave())) == (1, 2)
        assert told() == []

    def test_is_of_one_task_and_one_thread(self, declare, told, parcel):
        declare(observe=True)

        async def silent(entered, left):
            with suppress_pushes():
                entered.set()
                await left.wait()

        async def both():
            entered, left = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(silent(entered, left))
            await entered.wait()
            await parcel.asave()
            left.set()
            await task

        asyncio.run(both())
        assert told() == ["parcels: parcel.update"]
        with suppress_pushes():
            seen: list = []
            thread = threading.Thread(target=lambda: seen.append(is_suppressed()))
            thread.start()
            thread.join()
        assert seen == [False]

    def test_a_function_without_parentheses_is_refused(self):
        with pytest.raises(TypeError, match="with the parentheses"):

            @suppress_pushes
            def repair(order):
                pass

    def test_a_generator_is_refused(self):
        with pytest.raises(TypeError, match="generator"):

            @suppress_pushes()
            def rows():
                yield
