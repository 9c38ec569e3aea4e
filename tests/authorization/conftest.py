"""A project with boards and somebody who may see one of them."""

from types import ModuleType

import pytest
from django.contrib.auth.models import User

from tests import urls_of_boards
from tests.authorization.asking import declare
from tests.boards import views
from tests.boards.models import Board


@pytest.fixture(autouse=True)
def project(settings, own_registry, db):
    # A copy, to which tests add routes to views of their own.
    urls = ModuleType("urls_of_boards_and_more")
    urls.urlpatterns = [*urls_of_boards.urlpatterns]
    settings.ROOT_URLCONF = urls
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="


@pytest.fixture
def ada():
    return User.objects.create_user("ada", first_name="Ada", last_name="Lovelace")


@pytest.fixture
def board(ada):
    return Board.objects.create(owner=ada, slug="plans")


@pytest.fixture
def member(client, ada):
    client.force_login(ada)
    return client


@pytest.fixture
def boards(project):
    return declare(views.BoardViewSet)
