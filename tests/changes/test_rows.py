"""What observers push is the row that is committed, whatever the object at hand says."""

import copy
import pickle
import uuid

import pytest
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.db.models.signals import post_delete
from django.utils import timezone, translation
from rest_framework import serializers

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.changes.failures import _log_no_backend
from drf_model_pusher.signals import change_failed
from tests.boards.models import Board, Task, Team
from tests.boards.serializers import TaskSerializer
from tests.depot.models import Customer, Note, Parcel
from tests.depot.serializers import NoteSerializer, ParcelSerializer

pytestmark = pytest.mark.django_db(transaction=True)


class TestASave:
    def test_with_an_expression_pushes_its_value(self, declare, memory, parcel):
        declare(observe=True)
        parcel.weight, parcel.state = F("weight") + 1, Concat(F("state"), Value("ed"))
        parcel.save()
        assert (memory[0].json()["weight"], memory[0].json()["state"]) == ("2.00", "opened")

    def test_of_some_fields_pushes_none_that_was_not_saved(self, declare, memory, parcel):
        declare(observe=True)
        parcel.state, parcel.weight = "lost", 7
        parcel.save(update_fields=["weight"])
        assert (memory[0].json()["weight"], memory[0].json()["state"]) == ("7.00", "open")

    def test_of_text_pushes_the_value_of_the_field(self, declare, memory, parcel):
        declare(observe=True)
        parcel.weight = "3"
        parcel.save()
        assert memory[0].json()["weight"] == "3.00"

    def test_of_a_key_as_text_goes_to_the_channel_of_the_row(
        self, own_registry, memory, django_user_model
    ):
        owner = django_user_model.objects.create_user("ada")
        board = Board.objects.create(owner=owner, slug="a", team=Team.objects.create(slug="t"))

        class Tasks(PusherBackend):
            serializer_class = TaskSerializer
            channels = ["tasks.{pk}", "boards.{board_id}"]

            class Meta:
                observe = True

        key = uuid.uuid4()
        Task.objects.create(pk=str(key).upper(), board_id=f"0{board.pk}", text="a")
        assert memory[0].channels == (f"tasks.{key}", f"boards.{board.pk}")

    def test_by_a_serializer_that_saves_what_it_renders_ends(self, declare, memory, parcel):
        class Saving(ParcelSerializer):
            def to_representation(self, instance):
                Parcel._base_manager.filter(pk=instance.pk).update(state="seen")
                return super().to_representation(instance)

        declare(observe=True, serializer_class=Saving)
        parcel.save()
        assert len(memory) == 1

    def test_is_rendered_in_the_language_and_time_zone_of_the_settings(
        self, declare, memory, parcel
    ):
        class Local(serializers.ModelSerializer):
            language = serializers.SerializerMethodField()
            zone = serializers.SerializerMethodField()

            class Meta:
                model = Parcel
                fields = ["language", "zone"]

            def get_language(self, parcel):
                return translation.get_language()

            def get_zone(self, parcel):
                return timezone.get_current_timezone_name()

        declare(observe=True, serializer_class=Local)
        with translation.override("de"), timezone.override("Asia/Tokyo"):
            parcel.save()
            assert translation.get_language() == "de"
        assert memory[0].json() == {"language": "en-us", "zone": "America/Chicago"}


class TestADeletion:
    @pytest.mark.parametrize("keep", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
    def test_may_be_copied_by_a_receiver(self, declare, told, parcel, keep):
        kept = []

        def bury(instance, **kwargs):
            kept.append(keep(instance))

        declare(observe=True)
        post_delete.connect(bury, sender=Parcel)
        parcel.delete()
        post_delete.disconnect(bury, sender=Parcel)
        assert (told(), len(kept)) == (["parcels: parcel.delete"], 1)


class TestASoftDeletion:
    """Notes that are gone are hidden by their default manager."""

    @pytest.fixture
    def note(self, declare):
        return Note.objects.create(text="tea")

    def test_by_save_is_a_deletion_that_carries_the_key(self, declare, memory, note):
        declare(observe=True, serializer_class=NoteSerializer, channels=["notes"])
        note.gone = True
        note.save()
        assert [(event.name, event.json()) for event in memory] == [
            ("note.delete", {"id": note.pk})
        ]

    def test_in_bulk_is_the_same(self, declare, memory, note):
        declare(serializer_class=NoteSerializer, channels=["notes"])
        Note.everything.filter(pk=note.pk).update(gone=True)
        assert [(event.name, event.json()) for event in memory] == [
            ("note.delete", {"id": note.pk})
        ]

    @pytest.mark.parametrize("way", ["save", "update"])
    def test_that_the_backend_calls_so_carries_the_row(self, declare, memory, note, way):
        def resolve_event(self, event, instance):
            return "delete" if event == "update" and instance.gone else event

        declare(
            observe=True,
            serializer_class=NoteSerializer,
            channels=["notes"],
            resolve_event=resolve_event,
        )
        if way == "save":
            note.gone = True
            note.save()
        else:
            Note.everything.filter(pk=note.pk).update(gone=True)
        assert [(event.name, event.json()) for event in memory] == [
            ("note.delete", {"id": note.pk, "text": "tea"})
        ]

    def test_by_save_and_by_hand_is_one_in_a_transaction(self, declare, memory, note):
        backend = declare(observe=True, serializer_class=NoteSerializer, channels=["notes"])
        with transaction.atomic():
            note.gone = True
            note.save()
            backend().push_change("delete", note)
        assert [event.name for event in memory] == ["note.delete"]

    def test_of_what_is_gone_for_good_is_silent(self, declare, memory, note):
        backend = declare(serializer_class=NoteSerializer, channels=["notes"])
        with transaction.atomic():
            backend().push_many("update", [note])
            Note.everything.filter(pk=note.pk)._raw_delete("default")
        assert memory == []


class TestFailures:
    def test_of_a_serializer_fail_no_save_and_nothing_else(
        self, declare, declare_items, memory, parcel, caplog
    ):
        class Broken(ParcelSerializer):
            def to_representation(self, instance):
                raise ZeroDivisionError

        failed = []

        def note(sender, error, **kwargs):
            failed.append((sender, type(error)))

        change_failed.connect(note)
        backend = declare(observe=True, serializer_class=Broken)
        declare(observe=True, channels=["others"])
        with transaction.atomic():
            parcel.save()
        parcel.delete()
        change_failed.disconnect(note)
        assert [event.name for event in memory] == ["parcel.update", "parcel.delete"]
        assert failed == [(backend, ZeroDivisionError)] * 2
        assert caplog.text.count("change not pushed") == 2

    def test_are_raised_under_the_testing_kit(self, declare, parcel, pusher_events):
        declare(observe=True, get_event_name=lambda self, event: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            parcel.save()


class TestNobody:
    def test_is_one_line_for_each_class(self, caplog, memory):
        from rest_framework import viewsets

        from drf_model_pusher.views import ModelPusherViewMixin
        from tests.views import call

        class CustomerSerializer(serializers.ModelSerializer):
            class Meta:
                model = Customer
                fields = ["id", "slug"]

        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Customer.objects.all()
            serializer_class = CustomerSerializer

        _log_no_backend.cache_clear()
        for slug in ("ada", "bo"):
            call(View, "create", {"slug": slug})
        assert caplog.text.count("nothing pushed reason=no_backend") == 1
        assert "view=TestNobody" in caplog.text
        assert "model=Customer" in caplog.text
