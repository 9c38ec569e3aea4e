"""Every way of changing, each kind of change, each end of its transaction: what is told, once."""

from contextlib import contextmanager

import pytest
from asgiref.sync import async_to_sync
from celery import Celery
from django.contrib.admin import AdminSite, ModelAdmin
from django.db import router, transaction
from rest_framework import viewsets
from rest_framework.test import APIRequestFactory

from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.suppressing import suppress_pushes
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Item, Parcel, Tag
from tests.depot.serializers import ParcelSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True)

CREATE, UPDATE, DELETE = "parcel.create", "parcel.update", "parcel.delete"


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = ParcelSerializer


def atomic():
    return transaction.atomic(router.db_for_write(Parcel))


def async_call(actions, data=None, pk=None):
    from adrf.serializers import ModelSerializer
    from adrf.viewsets import ModelViewSet

    class Serializer(ModelSerializer):
        Meta = ParcelSerializer.Meta

    class View(ModelPusherViewMixin, ModelViewSet):
        queryset = Parcel.objects.all()
        serializer_class = Serializer

    (method,) = actions
    request = getattr(APIRequestFactory(), method)("/", data, format="json")
    view = View.as_view(actions)
    async_to_sync(view)(request, **({"pk": pk} if pk else {}))


class View:
    create = staticmethod(lambda p: call(ParcelViewSet, "create", {"customer": p.customer_id}))
    update = staticmethod(
        lambda p: call(ParcelViewSet, "update", {"customer": p.customer_id}, pk=p.pk)
    )
    delete = staticmethod(lambda p: call(ParcelViewSet, "destroy", pk=p.pk))


class AsyncView:
    create = staticmethod(lambda p: async_call({"post": "acreate"}, {"customer": p.customer_id}))
    update = staticmethod(lambda p: async_call({"patch": "partial_aupdate"}, {"state": "x"}, p.pk))
    delete = staticmethod(lambda p: async_call({"delete": "adestroy"}, pk=p.pk))


class Shell:
    create = staticmethod(lambda p: Parcel.objects.create(customer=p.customer))
    update = staticmethod(lambda p: p.save())
    delete = staticmethod(lambda p: p.delete())


class AsyncCode:
    create = staticmethod(lambda p: async_to_sync(Parcel(customer=p.customer).asave)())
    update = staticmethod(lambda p: async_to_sync(p.asave)())
    delete = staticmethod(lambda p: async_to_sync(p.adelete)())


class Admin:
    page = ModelAdmin(Parcel, AdminSite())

    @classmethod
    def create(cls, p):
        cls.page.save_model(None, Parcel(customer=p.customer), None, change=False)

    @classmethod
    def update(cls, p):
        cls.page.save_model(None, p, None, change=True)

    @classmethod
    def delete(cls, p):
        cls.page.delete_queryset(None, Parcel._base_manager.filter(pk=p.pk))


class Task:
    """What Celery runs, here at once."""

    @staticmethod
    def run(change, p):
        def work():
            change(p)

        Celery("tasks", set_as_current=False).task(work, name="work", shared=False).apply(
            throw=True
        )

    create = staticmethod(lambda p: Task.run(Shell.create, p))
    update = staticmethod(lambda p: Task.run(Shell.update, p))
    delete = staticmethod(lambda p: Task.run(Shell.delete, p))


class Bulk:
    """``push_many()`` after what no signal tells of."""

    @staticmethod
    def push(event, parcels):
        for backend in ParcelViewSet().get_pusher_backends():
            backend.view = None
            backend.push_many(event, parcels)

    @classmethod
    def create(cls, p):
        with atomic():
            created = Parcel._base_manager.bulk_create([Parcel(customer=p.customer)])
            cls.push("create", created)

    @classmethod
    def update(cls, p):
        with atomic():
            Parcel._base_manager.update(state="x")
            cls.push("update", [p])

    @classmethod
    def delete(cls, p):
        with atomic():
            cls.push("delete", [p])
            with suppress_pushes():
                p.delete()


class QuerySet:
    create = staticmethod(lambda p: Parcel.objects.bulk_create([Parcel(customer=p.customer)]))
    update = staticmethod(lambda p: Parcel.objects.filter(pk=p.pk).update(state="x"))
    delete = staticmethod(lambda p: Parcel.objects.filter(pk=p.pk).delete())


WAYS = {
    f"{way.__name__} {kind}": (getattr(way, kind), [event])
    for way in (View, AsyncView, Shell, AsyncCode, Admin, Task, Bulk, QuerySet)
    for kind, event in (("create", CREATE), ("update", UPDATE), ("delete", DELETE))
} | {
    "QuerySet bulk_update": (
        lambda p: Parcel.objects.bulk_update([p], ["state"]),
        [UPDATE],
    ),
    "cascade delete": (lambda p: p.customer.delete(), [DELETE, "item.delete"]),
    "m2m add": (lambda p: p.tags.add(Tag.objects.create(text="new")), [UPDATE]),
    "m2m remove": (lambda p: p.tags.remove(Tag.objects.get(text="old")), [UPDATE]),
    "m2m clear": (lambda p: p.tags.clear(), [UPDATE]),
    "m2m from the other side": (lambda p: Tag.objects.get(text="old").parcels.clear(), [UPDATE]),
    "child update": (lambda p: p.items.get().save(), ["item.update"]),
}


@contextmanager
def committed():
    with atomic():
        yield


@contextmanager
def rolled_back():
    with pytest.raises(ZeroDivisionError), atomic():
        yield
        raise ZeroDivisionError


@contextmanager
def savepoint_committed():
    with atomic(), atomic():
        yield


@contextmanager
def savepoint_rolled_back():
    with atomic(), rolled_back():
        yield


@contextmanager
def without():
    yield


@pytest.fixture
def parcel(database, settings):
    """It is in the database of each kind, where all queries go."""

    class Router:
        def db_for_read(self, model, **hints):
            return database

        db_for_write = db_for_read

    settings.DATABASE_ROUTERS = [Router()]
    return Parcel.objects.create(customer=Customer.objects.create(slug="ada"))


@pytest.fixture
def told(request, declare, declare_items, parcel, memory, settings):
    """Parcels and items are observed; the names of what is told."""
    if request.node.callspec.params["way"] in ("cascade delete", "child update"):
        Item.objects.create(parcel=parcel, text="tea")
    parcel.tags.add(Tag.objects.create(text="old"))
    at_once = request.param == "rendered at once"
    declare(observe={"create", "update", "delete"} if at_once else True, refetch=not at_once)
    declare_items(observe=True)
    if request.param != "written to the outbox":
        return lambda: sorted(event.name for event in memory)
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.outbox.delivery.OutboxDelivery"
    return lambda: sorted(OutboxRow.objects.values_list("name", flat=True))


in_each_case = pytest.mark.parametrize(
    ("database", "told"),
    [
        ("sqlite", "rendered at once"),
        ("sqlite", "read again"),
        ("sqlite", "written to the outbox"),
    ],
    indirect=True,
)


@in_each_case
@pytest.mark.parametrize("outcome", [without, committed, savepoint_committed])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_committed_is_told_once(way, outcome, told, parcel, request):
    change, events = WAYS[way]
    if way.startswith("m2m") and "rendered" in request.node.name:
        events = []  # not observed
    with outcome():
        change(parcel)
    assert told() == sorted(events)


@in_each_case
@pytest.mark.parametrize("outcome", [rolled_back, savepoint_rolled_back])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_rolled_back_is_not_told(way, outcome, told, parcel):
    with outcome():
        WAYS[way][0](parcel)
    assert told() == []


@pytest.mark.usefixtures("postgresql")
@pytest.mark.django_db(transaction=True, databases=["changes-postgresql"])
@pytest.mark.parametrize(("database", "told"), [("postgresql", "read again")], indirect=True)
@pytest.mark.parametrize("way", WAYS)
def test_another_database_makes_no_difference(way, told, parcel):
    change, events = WAYS[way]
    again = Parcel.objects.get(pk=parcel.pk)
    with atomic():
        with rolled_back():
            change(parcel)
        change(again)
    assert told() == sorted(events)
