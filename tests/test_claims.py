"""A private event leaves on no channel that only other backends' rules can grant."""

import pytest

from drf_model_pusher.backends import PrivatePusherBackend, PusherBackend
from drf_model_pusher.claims import claimed_by_others
from tests.boards.serializers import BoardSerializer

pytestmark = pytest.mark.usefixtures("own_registry")


def declare(base=PrivatePusherBackend, **attributes):
    return type("Boards", (base,), {"serializer_class": BoardSerializer} | attributes)()


@pytest.fixture
def other():
    return declare(channels=["boards.{pk}"])


def test_names_of_a_template_of_its_own_may_be_shared(other):
    mine = declare(channels=["boards.{slug}"])
    assert claimed_by_others(mine, ["private-boards.7"], [other]) == []


def test_names_of_a_method_are_left_to_those_who_understand_them(other):
    mine = declare(get_channels=lambda self, instance=None: [])
    names = ["private-boards.7", "private-boards.7.x", "boards.7", "presence-boards.7"]
    assert claimed_by_others(mine, names, [other]) == ["private-boards.7"]


def test_a_match_channel_makes_them_its_own(other):
    mine = declare(
        get_channels=lambda self, instance=None: [], match_channel=lambda self, name: {"pk": "7"}
    )
    assert claimed_by_others(mine, ["private-boards.7"], [other]) == []


def test_a_method_that_leaves_the_templates_loses_its_names(other):
    mine = declare(channels=["own.{pk}"], get_channels=lambda self, instance=None: [])
    assert claimed_by_others(mine, ["private-own.7", "private-boards.7"], [other]) == [
        "private-boards.7"
    ]


def test_what_breaks_down_may_be_a_claim_of_another(other):
    broken = declare(match_channel=lambda self, name: 1 / 0)
    assert claimed_by_others(broken, ["private-boards.7"], [other]) == ["private-boards.7"]
    mine = declare(get_channels=lambda self, instance=None: [])
    assert claimed_by_others(mine, ["private-x"], [broken]) == ["private-x"]


def test_a_public_backend_may_write_a_private_name_by_hand(other):
    mine = declare(PusherBackend, channels=["private-boards.{pk}"])
    assert claimed_by_others(mine, ["private-boards.7"], [other]) == []
