import pytest

from drf_model_pusher.channels import (
    ChannelKind,
    as_names,
    check_name,
    full_name,
    is_cache_channel,
    is_valid_name,
)
from drf_model_pusher.exceptions import DeclarationError, InvalidEventError


class TestKind:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("orders", ChannelKind.PUBLIC),
            ("private-orders", ChannelKind.PRIVATE),
            ("private-encrypted-orders", ChannelKind.ENCRYPTED),
            ("presence-orders", ChannelKind.PRESENCE),
            ("my-private-orders", ChannelKind.PUBLIC),
        ],
    )
    def test_is_told_by_the_prefix(self, name, kind):
        assert ChannelKind.of(name) is kind

    @pytest.mark.parametrize(
        ("name", "cached"),
        [
            ("cache-a", True),
            ("private-cache-a", True),
            ("private-encrypted-cache-a", True),
            ("presence-cache-a", True),
            ("private-a", False),
            ("a-cache-", False),
        ],
    )
    def test_cache_is_an_infix(self, name, cached):
        assert is_cache_channel(name) is cached


class TestNames:
    @pytest.mark.parametrize("name", ["a", "A-z_0=@,.;9", "x" * 164])
    def test_allowed(self, name):
        check_name(name)
        assert is_valid_name(name)

    @pytest.mark.parametrize(
        "name", ["", "x" * 165, "a:b", "a/b", "a b", "é", "#a", "a\n", None, 7]
    )
    def test_refused(self, name):
        with pytest.raises(InvalidEventError, match="channel name"):
            check_name(name)
        if isinstance(name, str):
            assert not is_valid_name(name)

    def test_the_infix_of_cache_channels_stands_behind_the_prefix_once(self):
        for given in ("a", "private-a", "private-cache-a"):
            assert full_name(given, "private-", cache=True) == "private-cache-a"
        assert full_name("a", "", cache=True) == "cache-a"
        assert full_name("private-a", "private-") == "private-a"

    def test_one_text_is_one_name(self):
        assert as_names("orders", print) == ["orders"]

    def test_repetitions_are_dropped_and_order_is_kept(self):
        assert as_names(["b", "a", "b"], print) == ["b", "a"]

    def test_any_iterable_of_names_will_do(self):
        assert as_names(("b", "a"), print) == as_names(iter("ba"), print) == ["b", "a"]

    @pytest.mark.parametrize("given", [None, 7, ["a", None], ["a", ["b"]], b"ab"])
    def test_what_holds_no_names_is_an_error_that_says_who_gave_it(self, given):
        with pytest.raises(DeclarationError, match=r"^print\(\) gave .*a list of names"):
            as_names(given, print)
