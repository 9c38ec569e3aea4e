import uuid
from datetime import datetime, timezone
from enum import Enum
from types import SimpleNamespace

import pytest
from django.db import models
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from drf_model_pusher.channel_templates import ChannelTemplate
from drf_model_pusher.exceptions import DeclarationError, InvalidEventError
from drf_model_pusher.rendering.keys import primary_key

VALUES = st.text("abcXYZ019-_=@,;.", min_size=1, max_size=8)
TEMPLATES = st.lists(
    st.sampled_from(["orders", "{a}", "{b}", "order-{a}", "{b}-x", "a", "1"]),
    min_size=1,
    max_size=4,
).map(lambda segments: "private-" + ".".join(["x", *segments]))


def order(**values):
    return SimpleNamespace(
        **{"pk": 7, "customer": SimpleNamespace(slug="acme", boss=None)} | values
    )


class TestFormat:
    def test_fields_are_attributes_and_look_ups(self):
        template = ChannelTemplate("customers.{customer__slug}.orders.{pk}")
        assert template.format(order()) == "customers.acme.orders.7"

    def test_a_uuid_is_written_with_its_hyphens(self):
        pk = uuid.uuid4()
        assert ChannelTemplate("orders.{pk}").format(order(pk=pk)) == f"orders.{pk}"

    @pytest.mark.parametrize("field", ["note", "customer__boss", "customer__boss__pk"])
    def test_a_missing_value_is_an_error_that_names_the_field(self, field):
        with pytest.raises(InvalidEventError, match=f"needs '{field}'"):
            ChannelTemplate(f"notes.{{{field}}}").format(order(note=None))

    @pytest.mark.parametrize("value", ["a b", "é", "a/b", "1.orders", "a\n", "#x", "a:b"])
    def test_a_value_that_cannot_stand_in_a_name_is_an_error(self, value):
        with pytest.raises(InvalidEventError, match="cannot hold"):
            ChannelTemplate("notes.{note}").format(order(note=value))

    def test_a_name_that_is_too_long_is_an_error(self):
        with pytest.raises(InvalidEventError, match="164"):
            ChannelTemplate("notes.{note}").format(order(note="x" * 160))

    @pytest.mark.parametrize(
        ("template", "value"),
        [("private-{note}", "encrypted-a"), ("private-{note}", "cache-a"), ("{note}", "private-a")],
    )
    def test_a_value_never_makes_it_another_kind_of_channel(self, template, value):
        with pytest.raises(InvalidEventError, match="another kind"):
            ChannelTemplate(template).format(order(note=value))


class Status(str, Enum):
    OPEN = "open"


class Level(int, Enum):
    HIGH = 3


class TestFieldsOfModels:
    """A name is made of what the row has, whatever an instance was given."""

    @pytest.fixture
    def shop(self):
        with isolate_apps("tests.shop"):

            class Board(models.Model):
                id = models.UUIDField(primary_key=True)

                class Meta:
                    app_label = "shop"

            class Task(models.Model):
                board = models.ForeignKey(Board, models.CASCADE)
                number = models.IntegerField()
                day = models.DateField()
                done = models.BooleanField()
                status = models.CharField(max_length=9)

                class Meta:
                    app_label = "shop"

                @property
                def tag(self):
                    return "007"

            yield SimpleNamespace(Board=Board, Task=Task)

    @pytest.mark.parametrize("given", [str, str.upper, lambda text: text.replace("-", "")])
    def test_a_uuid_as_text(self, shop, given):
        key = uuid.uuid4()
        task = shop.Task(board_id=given(str(key)))
        board = shop.Board(pk=given(str(key)))
        assert ChannelTemplate("boards.{board_id}").format(task) == f"boards.{key}"
        assert ChannelTemplate("boards.{pk}").format(board) == f"boards.{key}"
        task.board = board
        assert ChannelTemplate("boards.{board__id}").format(task) == f"boards.{key}"

    @pytest.mark.parametrize(
        ("field", "given", "written"),
        [
            ("number", "007", "7"),
            ("number", 7.0, "7"),
            ("number", Level.HIGH, "3"),
            ("id", "007", "7"),
            ("pk", "007", "7"),
            ("day", "2024-1-2", "2024-01-02"),
            ("day", datetime(2024, 1, 2, 16, tzinfo=timezone.utc), "2024-01-02"),
            ("done", 1, "True"),
            ("done", "False", "False"),
            ("status", Status.OPEN, "open"),
            ("status", 7, "7"),
        ],
    )
    def test_is_written_as_the_row_has_it(self, shop, field, given, written):
        task = shop.Task(**{field: given})
        assert ChannelTemplate(f"a.{{{field}}}").format(task) == f"a.{written}"

    def test_what_is_no_field_is_written_as_it_is(self, shop):
        assert ChannelTemplate("a.{tag}").format(shop.Task()) == "a.007"

    def test_what_no_row_can_have_is_written_as_it_is(self, shop):
        """Saving it has failed, or will."""
        task = shop.Task(number="many", day="never")
        assert ChannelTemplate("a.{number}.{day}").format(task) == "a.many.never"

    def test_a_key_is_told_as_the_row_has_it(self, shop):
        key = uuid.uuid4()
        assert primary_key(shop.Board(pk=str(key).upper())) == {"id": key}


class TestMatch:
    def test_gives_the_fields(self):
        template = ChannelTemplate("private-customers.{customer_id}.orders.{pk}")
        assert template.match("private-customers.1.orders.7") == {"customer_id": "1", "pk": "7"}

    def test_without_fields_gives_none_of_them(self):
        assert ChannelTemplate("private-orders").match("private-orders") == {}

    @pytest.mark.parametrize(
        "name",
        [
            "private-orders.",
            "private-orders.7.8",
            "orders.7",
            "presence-orders.7",
            "private-orders.7\n",
            "private-orders.é",
            "private-orders." + "7" * 160,
            "Private-orders.7",
        ],
    )
    def test_of_anothers_name_is_none(self, name):
        assert ChannelTemplate("private-orders.{pk}").match(name) is None

    @pytest.mark.parametrize("name", ["private-encrypted-a", "private-cache-a", "private-a.b"])
    def test_never_reads_a_name_of_another_kind(self, name):
        assert ChannelTemplate("private-{slug}").match(name) is None

    def test_a_field_that_is_there_twice_has_one_value(self):
        template = ChannelTemplate("a.{pk}.b.{pk}")
        assert template.match("a.1.b.1") == {"pk": "1"}
        assert template.match("a.1.b.2") is None

    def test_a_slug_never_forges_the_channel_of_another_object(self):
        """Else the reader of a customer "1.orders" would hear of the orders of customer 1."""
        assert (
            ChannelTemplate("private-customers.{slug}").match("private-customers.1.orders") is None
        )


class TestBothWays:
    @given(TEMPLATES, VALUES, VALUES)
    def test_what_is_formatted_is_matched_by_the_same_values_and_no_others(self, text, a, b):
        template = ChannelTemplate(text)
        instance = SimpleNamespace(a=a, b=b)
        try:
            name = template.format(instance)
        except InvalidEventError:
            return
        assert template.match(name) == {f: getattr(instance, f) for f in template.fields}

    @given(TEMPLATES, TEMPLATES, VALUES, VALUES)
    def test_templates_that_do_not_overlap_never_share_a_name(self, one, other, a, b):
        one, other = ChannelTemplate(one), ChannelTemplate(other)
        try:
            name = one.format(SimpleNamespace(a=a, b=b))
        except InvalidEventError:
            return
        if other.match(name) is not None:
            assert one.overlaps(other)
            assert other.overlaps(one)


class TestOverlap:
    @pytest.mark.parametrize(
        ("one", "other", "overlap"),
        [
            ("a.{pk}", "a.{slug}", True),
            ("a.{pk}", "a.all", True),
            ("a.{pk}", "a.b.{pk}", False),
            ("a.{pk}", "b.{pk}", False),
            ("order-{pk}", "order-new-{pk}", True),
            ("order-{pk}", "line-{pk}", False),
            ("private-a.{pk}", "private-encrypted-a.{pk}", False),
            ("private-a.{pk}", "private-cache-a.{pk}", False),
        ],
    )
    def test_is_told_by_the_segments(self, one, other, overlap):
        assert ChannelTemplate(one).overlaps(ChannelTemplate(other)) is overlap


class TestText:
    @pytest.mark.parametrize(
        "text",
        ["a.{", "a.}", "a.{}", "a.{0}", "a.{pk!r}", "a.{pk:d}", "a.{pk.x}", "a.{pk[0]}", "a b",
         "a/{pk}", "a.{x}{y}", "a.{x}-{y}", "{{a}}"],
    )  # fmt: skip
    def test_that_is_no_template_is_an_error(self, text):
        with pytest.raises(DeclarationError, match="The channel"):
            ChannelTemplate(text)

    def test_is_its_identity(self):
        assert {ChannelTemplate("a.{pk}"), ChannelTemplate("a.{pk}")} == {ChannelTemplate("a.{pk}")}
        assert repr(ChannelTemplate("a")) == "ChannelTemplate('a')"
