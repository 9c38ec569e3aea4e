import pytest
from django.core.checks import run_checks

from drf_model_pusher.checks.settings import check_settings


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
            ("PUSHER_HOST", "[::1]:6001"),
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

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PUSHER_KEY", "two words"),
            ("PUSHER_KEY", '"quoted"'),
            ("PUSHER_KEY", "key:secret"),
            ("PUSHER_SECRET", "secret\n"),
            ("PUSHER_SECRET", "'secret'"),
            ("PUSHER_CLUSTER", "https://api-eu.pusher.com"),
            ("PUSHER_CLUSTER", "eu "),
            ("PUSHER_HOST", "soketi .internal"),
            ("PUSHER_APP_ID", " 3"),
        ],
    )
    def test_what_was_copied_along_with_a_credential(self, settings, name, value):
        setattr(settings, name, value)
        (error,) = check_settings()
        assert (error.id, name in error.msg) == ("drf_model_pusher.E020", True)
        assert (value in error.msg + error.hint, error.hint.startswith(name)) == (False, True)

    @pytest.mark.parametrize("value", ["app-key", "a/b+c==", "key_1.2"])
    def test_credentials_of_other_servers_may_be_words(self, settings, value):
        settings.PUSHER_SECRET = value
        settings.PUSHER_KEY = value.replace("/", "-")
        assert check_settings() == []

    def test_a_setting_that_there_is_not(self, settings):
        settings.DRF_MODEL_PUSHER_DELIVRY = "drf_model_pusher.delivery.InlineDelivery"
        settings.DRF_MODEL_PUSHER_XYZ = 1
        near, far = check_settings()
        assert (near.id, near.hint) == ("drf_model_pusher.W020", "Write DRF_MODEL_PUSHER_DELIVERY.")
        assert "no setting DRF_MODEL_PUSHER_XYZ" in far.msg

    def test_a_path_into_an_app_that_is_not_installed(self, settings):
        path = "drf_model_pusher.outbox.delivery.OutboxDelivery"
        settings.DRF_MODEL_PUSHER_DELIVERY = path
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if not app.startswith("drf_model_pusher.outbox")
        ]
        (error,) = check_settings()
        assert (error.id, path in error.msg) == ("drf_model_pusher.E021", True)
        assert error.hint == 'INSTALLED_APPS += ["drf_model_pusher.outbox"]'

    def test_a_module_that_raises_is_an_error_and_no_crash(self, settings, tmp_path, monkeypatch):
        (tmp_path / "broken_provider.py").write_text("raise RuntimeError('not today')")
        monkeypatch.syspath_prepend(tmp_path)
        settings.DRF_MODEL_PUSHER_PROVIDER = "broken_provider.Provider"
        (error,) = check_settings()
        assert (error.id, "not today" in error.msg) == ("drf_model_pusher.E002", True)

    def test_a_class_that_lacks_its_method(self, settings):
        settings.DRF_MODEL_PUSHER_PROVIDER = "drf_model_pusher.providers.BaseProvider"
        (error,) = check_settings()
        assert (error.id, "lacks trigger()" in error.msg) == ("drf_model_pusher.E002", True)

    @pytest.mark.parametrize(
        "name", ["DRF_MODEL_PUSHER_DISABLED", "DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED"]
    )
    def test_what_meant_something_else_in_0_2_0_is_named(self, settings, name):
        setattr(settings, name, "False")
        (error,) = check_settings()
        assert "0.2.0 took every value that counts as true" in error.hint
