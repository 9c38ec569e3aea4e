"""What serializers may ask of the request where there is none."""

import asyncio

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sites.shortcuts import get_current_site
from django.urls import include, path
from rest_framework.reverse import reverse
from rest_framework.versioning import NamespaceVersioning
from rest_framework.views import APIView

from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.rendering.requests import request_at

orders = ([path("orders/", APIView.as_view(), name="orders")], "orders")
urlpatterns = [path("v1/", include(orders, "v1")), path("v2/", include(orders, "v2"))]

BASE = "https://api.example.com"

ANSWERS = {
    "method": (lambda r: r.method, "GET"),
    "query_params": (lambda r: r.query_params.get("fields"), None),
    "data": (lambda r: dict(r.data), {}),
    "user": (lambda r: r.user, AnonymousUser()),
    "user of Django's request": (lambda r: r._request.user, AnonymousUser()),
    "auser": (lambda r: asyncio.run(r._request.auser()), AnonymousUser()),
    "auth": (lambda r: r.auth, None),
    "get_host": (lambda r: r.get_host(), "api.example.com"),
    "get_port": (lambda r: r.get_port(), "443"),
    "scheme": (lambda r: r.scheme, "https"),
    "is_secure": (lambda r: r.is_secure(), True),
    "build_absolute_uri": (lambda r: r.build_absolute_uri(), f"{BASE}/"),
    "build_absolute_uri of a path": (lambda r: r.build_absolute_uri("/x/?a=b"), f"{BASE}/x/?a=b"),
    "build_absolute_uri of a URL": (lambda r: r.build_absolute_uri("http://a/b"), "http://a/b"),
    "path": (lambda r: r.path, "/"),
    "get_full_path": (lambda r: r.get_full_path(), "/"),
    "current site": (lambda r: get_current_site(r).domain, "api.example.com"),
    "session": (lambda r: r.session.get("basket"), None),
    "headers": (lambda r: r.headers.get("Accept-Language"), None),
    "header of the host": (lambda r: r.headers["Host"], "api.example.com"),
    "COOKIES": (lambda r: r.COOKIES, {}),
    "META": (lambda r: r.META["REMOTE_ADDR"], "127.0.0.1"),
    "LANGUAGE_CODE": (lambda r: r.LANGUAGE_CODE, "en-us"),
    "accepted_renderer": (lambda r: r.accepted_renderer.format, "json"),
    "accepted_media_type": (lambda r: r.accepted_media_type, "application/json"),
    "parser_context": (lambda r: r.parser_context["view"], None),
    "resolver_match": (lambda r: r.resolver_match, None),
    "version": (lambda r: (r.version, r.versioning_scheme), (None, None)),
}


@pytest.mark.parametrize("question", ANSWERS)
def test_it_answers_as_a_request_to_the_base_url(settings, question):
    settings.DRF_MODEL_PUSHER_BASE_URL = BASE
    settings.ALLOWED_HOSTS = ["another.example.com"]  # no client has sent this host
    ask, answer = ANSWERS[question]
    assert ask(request_at("")) == answer


def test_the_host_of_the_writers_request_goes_before_the_setting(settings):
    settings.DRF_MODEL_PUSHER_BASE_URL = BASE
    request = request_at("http://tenant.example.com:8000")
    assert request.build_absolute_uri("/x") == "http://tenant.example.com:8000/x"
    assert (request.get_host(), request.get_port()) == ("tenant.example.com:8000", "8000")
    assert not request.is_secure()


@pytest.mark.parametrize(
    ("base_url", "host", "port"),
    [
        ("http://[::1]:8000", "[::1]:8000", "8000"),
        ("http://user:secret@example.com", "example.com", "80"),
        ("https://example.com/api/", "example.com", "443"),
    ],
)
def test_all_kinds_of_base_urls_are_understood(base_url, host, port):
    request = request_at(base_url)
    assert (request.get_host(), request.get_port()) == (host, port)


def test_a_path_of_the_base_url_is_the_path_of_the_request():
    request = request_at("https://example.com/api/")
    assert request.path == "/api/"
    assert request.build_absolute_uri("orders/") == "https://example.com/api/orders/"
    assert request.build_absolute_uri("/orders/") == "https://example.com/orders/"


def test_without_a_host_urls_are_relative():
    request = request_at("")
    assert request.build_absolute_uri("/orders/7/") == "/orders/7/"
    assert request.build_absolute_uri() == "/"
    assert request.get_host() == "localhost"


def test_a_proxys_header_that_is_not_there_changes_nothing(settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.USE_X_FORWARDED_HOST = settings.USE_X_FORWARDED_PORT = True
    assert request_at(BASE).build_absolute_uri("/x") == f"{BASE}/x"
    assert request_at("http://a.example.com").scheme == "http"


@pytest.mark.urls(__name__)
def test_its_version_is_that_of_a_request_that_names_none(settings):
    settings.REST_FRAMEWORK = {
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
        "DEFAULT_VERSION": "v2",
    }
    request = request_at(BASE)
    assert (request.version, type(request.versioning_scheme)) == ("v2", NamespaceVersioning)
    assert reverse("orders", request=request) == f"{BASE}/v2/orders/"


def test_nobody_may_be_none(settings):
    settings.REST_FRAMEWORK = {"UNAUTHENTICATED_USER": None}
    request = request_at(BASE)
    assert (request.user, request._request.user) == (None, None)


@pytest.mark.parametrize("wrong", ["api.example.com", "ftp://a", "http://", "https://a:port"])
def test_a_base_url_that_is_none_is_a_wrong_setting(settings, wrong):
    settings.DRF_MODEL_PUSHER_BASE_URL = wrong
    with pytest.raises(SettingError, match="DRF_MODEL_PUSHER_BASE_URL is such as"):
        request_at("")
