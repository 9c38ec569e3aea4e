"""Whoever applies what is told, in its order, ends with what the database has."""

import os
from contextlib import contextmanager, nullcontext

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import viewsets

from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Item, Parcel, Tag
from tests.depot.serializers import ParcelSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True)


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = ParcelSerializer


def create(pk, customer, state, backend):
    if not Parcel.objects.filter(pk=pk).exists():
        Parcel.objects.create(pk=pk, customer_id=customer, state=state)


def create_by_bulk(pk, customer, state, backend):
    if not Parcel.objects.filter(pk=pk).exists():
        Parcel.objects.bulk_create([Parcel(pk=pk, customer_id=customer, state=state)])


def save(pk, customer, state, backend):
    for parcel in Parcel.objects.filter(pk=pk):
        parcel.customer_id, parcel.state = customer, state
        parcel.save()


def save_unloaded(pk, customer, state, backend):
    Parcel(pk=pk, customer_id=customer, state=state).save()


def update(pk, customer, state, backend):
    Parcel.objects.filter(pk__gte=pk).update(customer_id=customer, state=state)


def update_by_bulk(pk, customer, state, backend):
    parcels = list(Parcel.objects.filter(pk__lte=pk))
    for parcel in parcels:
        parcel.customer_id, parcel.state = customer, state
    Parcel.objects.bulk_update(parcels, ["customer", "state"])


def update_in_view(pk, customer, state, backend):
    if Parcel.objects.filter(pk=pk).exists():
        call(ParcelViewSet, "update", {"customer": customer, "state": state}, pk=pk)


def delete(pk, customer, state, backend):
    for parcel in Parcel.objects.filter(pk=pk):
        parcel.delete()


def delete_many(pk, customer, state, backend):
    Parcel.objects.filter(customer_id=customer).delete()


def delete_in_view(pk, customer, state, backend):
    if Parcel.objects.filter(pk=pk).exists():
        call(ParcelViewSet, "destroy", pk=pk)


def push_many(pk, customer, state, backend):
    backend().push_many("update", Parcel.objects.filter(pk__gte=pk))


def touch(pk, customer, state, backend):
    if Parcel.objects.filter(pk=pk).exists():
        Item.objects.create(parcel_id=pk, text=state)


def tag(pk, customer, state, backend):
    for parcel in Parcel.objects.filter(pk=pk):
        parcel.tags.set([Tag.objects.get_or_create(text=state)[0]])


def untag(pk, customer, state, backend):
    for tag in Tag.objects.filter(text=state):
        tag.parcels.clear()


CHANGES = [
    create, create_by_bulk, save, save_unloaded, update, update_by_bulk, update_in_view,
    delete, delete_many, delete_in_view, push_many, touch, tag, untag,
]  # fmt: skip


@contextmanager
def rolled_back():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        yield
        raise ZeroDivisionError


#: 20,000 in all where REPLICA is set, as before a release.
EXAMPLES = settings(max_examples=1_250 if os.environ.get("REPLICA") else 50)

BLOCKS = {"commit": transaction.atomic, "roll back": rolled_back, "none": nullcontext}

changes = st.tuples(
    st.sampled_from(CHANGES), st.integers(1, 2), st.integers(1, 2), st.sampled_from("abcd")
)
scenes = st.lists(
    st.recursive(
        changes,
        lambda inner: st.tuples(st.sampled_from(list(BLOCKS)), st.lists(inner, max_size=5)),
        max_leaves=10,
    ),
    max_size=4,
)


def play(scene, backend):
    for name, *rest in scene:
        if name in BLOCKS:
            with BLOCKS[name]():
                play(rest[0], backend)
        else:
            name(*rest, backend)


def by_channel(events, *, strict):
    """Return what the subscribers of each channel know; if strict, no creation is told twice."""
    known: dict = {}
    for channels, name, data in events:
        for channel in channels:
            objects = known.setdefault(channel, {})
            if strict and name in ("parcel.create", "parcel.update"):
                assert (data["id"] in objects) == (name != "parcel.create"), events
            if name.endswith(".delete"):
                objects.pop(data["id"], None)
            elif name.startswith("parcel."):
                objects[data["id"]] = (data["customer"], data["state"])
    return {channel: objects for channel, objects in known.items() if objects}


def deletes_softly(self, event, instance):
    """A parcel with the state "d" is deleted to subscribers."""
    return "delete" if event != "create" and instance.state == "d" else event


def seen(self, event, instance):
    """A parcel that is created deleted was never seen."""
    return event == "delete" or instance.state != "d"


def rows(*, soft=False):
    known: dict = {}
    there = Parcel.objects.exclude(state="d") if soft else Parcel.objects
    for pk, customer, state in there.values_list("pk", "customer_id", "state"):
        known.setdefault(f"c{customer}", {})[pk] = (customer, state)
    return known


@pytest.mark.parametrize("refetch", [False, True], ids=["at once", "read again"])
@pytest.mark.parametrize("touches", [(), ("parcel",)], ids=["alone", "touched"])
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("outbox", [False, True], ids=["memory", "outbox"])
def test_subscribers_know_what_there_is(
    declare, declare_items, memory, refetch, touches, outbox, soft, request
):
    if outbox:
        request.getfixturevalue(
            "settings"
        ).DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.outbox.delivery.OutboxDelivery"
    kinds = {"create", "update", "delete"} | ({"m2m"} if refetch else set())
    softly = {"resolve_event": deletes_softly, "should_push": seen} if soft else {}
    backend = declare(observe=kinds, refetch=refetch, channels=["c{customer_id}"], **softly)
    declare_items(observe=kinds, touches=touches)

    @given(scenes)
    @settings(EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def check(scene):
        for model in (Item, Parcel.tags.through, Parcel, Customer, OutboxRow):
            model._base_manager.all()._raw_delete("default")
        memory.clear()
        Customer.objects.bulk_create(Customer(pk=pk, slug=f"c{pk}") for pk in (1, 2))
        play(scene, backend)
        if outbox:
            relay = Relay("default")
            while relay.batch():
                pass
        told = [(each.channels, each.name, each.json()) for each in memory]
        # What is read after the commit and what is not may overlap.
        strict = not soft and bool(outbox or refetch or touches)
        assert by_channel(told, strict=strict) == rows(soft=soft), told

    check()
