import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks

from drf_model_pusher.checks import check_settings, check_threads
from drf_model_pusher.conf import app_settings, setting_names


def ids(messages):
    return [message.id.removeprefix("drf_model_pusher.") for message in messages]


class TestSettings:
    def test_good_ones_pass_and_the_checks_are_registered(self, settings):
        assert run_checks() == []
        settings.PUSHER_KEY = ""
        assert "E003" in ids(run_checks())

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PUSHER_PORT", "http"),
            ("PUSHER_PORT", 0),
            ("PUSHER_PORT", 65_536),
            ("PUSHER_PORT", True),
            ("PUSHER_SSL", "False"),
            ("PUSHER_HOST", "https://example.com"),
            ("PUSHER_HOST", "example.com:6001"),
            ("PUSHER_TIMEOUT", 0),
            ("PUSHER_TIMEOUT", "soon"),
            ("PUSHER_TIMEOUT", "1.2.3"),
            ("PUSHER_TIMEOUT", "301"),
            ("PUSHER_CA_BUNDLE", "nowhere.pem"),
            ("PUSHER_ENCRYPTION_MASTER_KEY_BASE64", "c2hvcnQ="),
            ("DRF_MODEL_PUSHER_DISABLED", "false"),
            ("DRF_MODEL_PUSHER_BACKENDS_FILE", "pusher-backends.py"),
            ("DRF_MODEL_PUSHER_MAX_EVENT_BYTES", 0),
            ("DRF_MODEL_PUSHER_QUEUE_SIZE", 0),
            ("DRF_MODEL_PUSHER_PROVIDER", 7.5),
        ],
    )
    def test_a_wrong_one_is_an_error_that_names_it_and_what_to_write(self, settings, name, value):
        setattr(settings, name, value)
        (error,) = check_settings()
        assert error.id == "drf_model_pusher.E001"
        assert name in error.msg
        assert error.hint.startswith(name)

    def test_a_secret_of_the_wrong_type_is_not_printed(self, settings):
        settings.PUSHER_SECRET = b"hidden"
        (error,) = check_settings()
        assert "hidden" not in error.msg + error.hint

    @pytest.mark.parametrize("name", ["DRF_MODEL_PUSHER_PROVIDER", "DRF_MODEL_PUSHER_DELIVERY"])
    @pytest.mark.parametrize("path", ["nowhere.Nothing", "decimal.Decimal", "nodots"])
    def test_a_path_must_lead_to_a_class_of_its_family(self, settings, name, path):
        setattr(settings, name, path)
        (error,) = check_settings()
        assert error.id == "drf_model_pusher.E002"
        assert (name in error.msg, path in error.msg) == (True, True)

    def test_credentials_are_needed_by_the_pusher_provider_only(self, settings):
        settings.PUSHER_APP_ID = settings.PUSHER_SECRET = ""
        (error,) = check_settings()
        assert (error.id, "PUSHER_APP_ID, PUSHER_SECRET" in error.msg) == (
            "drf_model_pusher.E003",
            True,
        )
        settings.DRF_MODEL_PUSHER_PROVIDER = "drf_model_pusher.providers.ConsoleProvider"
        assert check_settings() == []

    def test_credentials_are_not_needed_when_nothing_is_pushed(self, settings):
        settings.PUSHER_APP_ID = ""
        settings.DRF_MODEL_PUSHER_DISABLED = True
        assert check_settings() == []

    def test_an_app_id_must_be_one_that_the_client_takes(self, settings):
        settings.PUSHER_APP_ID = "my-app"
        assert ids(check_settings()) == ["E004"]


class TestThreads:
    @pytest.mark.parametrize(
        ("options", "warned"),
        [({}, ["W003"]), ({"enable-threads": True}, []), ({"threads": b"2"}, [])],
    )
    def test_uwsgi_without_threads_is_a_warning(self, monkeypatch, options, warned):
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
        assert ids(check_threads()) == warned

    def test_other_servers_are_fine(self):
        assert check_threads() == []


class TestConf:
    def test_every_setting_has_a_docstring(self):
        for name in setting_names():
            assert getattr(type(app_settings), name).__doc__, name

    def test_what_the_environment_gives_as_text_is_accepted(self, settings):
        settings.PUSHER_PORT = "6001"
        settings.PUSHER_APP_ID = 42
        settings.PUSHER_TIMEOUT = "5"
        assert (app_settings.PUSHER_PORT, app_settings.PUSHER_APP_ID) == (6001, "42")
        assert app_settings.PUSHER_TIMEOUT == 5

    def test_the_cluster_is_optional(self, settings):
        assert app_settings.PUSHER_CLUSTER == "mt1"
        settings.PUSHER_CLUSTER = ""
        assert app_settings.PUSHER_CLUSTER == "mt1"
        settings.PUSHER_CLUSTER = "eu"
        assert app_settings.PUSHER_CLUSTER == "eu"

    def test_the_cluster_names_the_host(self, settings):
        from drf_model_pusher.providers import PusherProvider, get_provider

        settings.PUSHER_CLUSTER = "eu"
        client = get_provider(PusherProvider).client._pusher_client
        assert (client.scheme, client.host, client.port) == ("https", "api-eu.pusher.com", 443)
