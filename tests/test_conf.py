from drf_model_pusher.conf import app_settings, setting_names
from drf_model_pusher.providers import PusherProvider, get_provider


def test_every_setting_has_a_docstring():
    for name in setting_names():
        assert getattr(type(app_settings), name).__doc__, name


def test_what_the_environment_gives_as_text_is_accepted(settings):
    settings.PUSHER_PORT = "6001"
    settings.PUSHER_APP_ID = 42
    settings.PUSHER_TIMEOUT = "5"
    assert (app_settings.PUSHER_PORT, app_settings.PUSHER_APP_ID) == (6001, "42")
    assert app_settings.PUSHER_TIMEOUT == 5


def test_the_cluster_is_optional(settings):
    assert app_settings.PUSHER_CLUSTER == "mt1"
    settings.PUSHER_CLUSTER = ""
    assert app_settings.PUSHER_CLUSTER == "mt1"
    settings.PUSHER_CLUSTER = "eu"
    assert app_settings.PUSHER_CLUSTER == "eu"


def test_the_cluster_names_the_host(settings):
    settings.PUSHER_CLUSTER = "eu"
    client = get_provider(PusherProvider).client._pusher_client
    assert (client.scheme, client.host, client.port) == ("https", "api-eu.pusher.com", 443)
