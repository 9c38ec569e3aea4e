from __future__ import annotations

import pytest
from django.core.checks import run_checks

from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.server.checks import check_server
from drf_model_pusher.server.configuration import configured_apps, configured_limits
from pusher_dev_server.application import Application, Limits

APP = {"id": 1, "key": "k", "secret": "s"}


class TestApps:
    def test_without_any_it_is_the_projects_own(self, settings):
        settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS = ["http://127.0.0.1:8000/pusher/webhook/"]
        assert configured_apps() == [
            Application(
                id=settings.PUSHER_APP_ID,
                key=settings.PUSHER_KEY,
                secret=settings.PUSHER_SECRET,
                webhooks=("http://127.0.0.1:8000/pusher/webhook/",),
            )
        ]

    def test_several_are_as_they_are_written(self, settings):
        settings.DRF_MODEL_PUSHER_SERVER_APPS = [
            APP,
            {"id": "2", "key": "k2", "secret": "s2", "client_events": False, "webhooks": ["http://a"]},
        ]  # fmt: skip
        assert configured_apps() == [
            Application(id="1", key="k", secret="s"),
            Application(id="2", key="k2", secret="s2", client_events=False, webhooks=("http://a",)),
        ]

    @pytest.mark.parametrize(
        ("apps", "hint"),
        [
            ({"id": "1"}, "list of dicts"),
            (["app"], "list of dicts"),
            ([{"id": "1", "key": "k"}], "give each app its secret"),
            ([APP | {"colour": "red"}], "subscription_count"),
            ([APP | {"client_events": "no"}], "make it a bool"),
            ([APP | {"key": 1}], "make it a str"),
            ([APP | {"webhooks": "http://a"}], "http:// or https://"),
            ([APP | {"webhooks": [1]}], "http:// or https://"),
            ([APP, APP | {"id": "2"}], "its own key"),
            ([APP, APP | {"key": "other"}], "its own id"),
        ],
    )
    def test_a_mistake_is_told_with_what_to_write(self, settings, apps, hint):
        settings.DRF_MODEL_PUSHER_SERVER_APPS = apps
        with pytest.raises(SettingError) as error:
            configured_apps()
        assert hint in error.value.hint

    @pytest.mark.parametrize("name", ["PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET"])
    def test_a_missing_credential_is_named(self, settings, name):
        setattr(settings, name, "")
        with pytest.raises(SettingError, match=name):
            configured_apps()

    @pytest.mark.parametrize(
        "value",
        ["http://a", ["ftp://a"], [1], ["http://"], ["http://a:b/"], ["http://a/ü"], ["http://[a"]],
    )
    def test_webhooks_are_addresses(self, settings, value):
        settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS = value
        with pytest.raises(SettingError, match="WEBHOOKS"):
            configured_apps()

    def test_webhooks_of_no_app_are_told(self, settings):
        settings.DRF_MODEL_PUSHER_SERVER_APPS = [APP]
        settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS = ["http://a"]
        with pytest.raises(SettingError, match="WEBHOOKS") as error:
            configured_apps()
        assert '"webhooks"' in error.value.hint


class TestLimits:
    def test_they_are_the_hosted_services(self):
        assert configured_limits() == Limits()
        assert (Limits().event_data_bytes, Limits().presence_members) == (10_240, 100)

    def test_each_may_be_changed(self, settings):
        settings.DRF_MODEL_PUSHER_SERVER_LIMITS = {"presence_members": 500, "cache_ttl": 0.5}
        assert configured_limits() == Limits(presence_members=500, cache_ttl=0.5)

    @pytest.mark.parametrize(
        "limits",
        [[], {"colour": 1}, {"cache_ttl": 0}, {"cache_ttl": "5"}, {"presence_members": 1.5},
         {"presence_members": True}],
    )  # fmt: skip
    def test_a_mistake_is_told(self, settings, limits):
        settings.DRF_MODEL_PUSHER_SERVER_LIMITS = limits
        with pytest.raises(SettingError, match="LIMITS"):
            configured_limits()


class TestCheck:
    def test_good_settings_and_the_projects_own_app_pass(self, settings):
        settings.PUSHER_KEY = ""  # which is an error of its own
        assert check_server() == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DRF_MODEL_PUSHER_SERVER_APPS", [APP | {"key": ""}]),
            ("DRF_MODEL_PUSHER_SERVER_LIMITS", {"colour": 1}),
        ],
    )
    def test_a_mistake_is_an_error_with_a_hint(self, settings, name, value):
        setattr(settings, name, value)
        (error,) = check_server()
        assert error.id == "drf_model_pusher.E001"
        assert name in error.msg
        assert name in error.hint
        assert error in run_checks()

    @pytest.mark.parametrize("name", ["APPS", "LIMITS", "WEBHOOKS"])
    def test_what_another_check_tells_is_told_once(self, settings, name):
        setattr(settings, f"DRF_MODEL_PUSHER_SERVER_{name}", "x")
        assert [error.id for error in run_checks()] == ["drf_model_pusher.E001"]
