"""How backends are found, in projects of their own."""

import subprocess
import sys
import textwrap

import pytest

from drf_model_pusher.registry import registry
from tests.shop.models import Order
from tests.shop.pusher_backends import OrderPusherBackend

BACKEND = """
    from django.contrib.auth.models import User
    from rest_framework.serializers import ModelSerializer
    from drf_model_pusher.backends import PusherBackend

    class UserSerializer(ModelSerializer):
        class Meta:
            model = User
            fields = ["username"]

    class UserBackend(PusherBackend):
        serializer_class = UserSerializer
"""


@pytest.fixture
def project(tmp_path):
    """Return a function that sets up a project with one app, ``shop``, and runs a line in it."""

    def run(files, line, *, installed=True, **settings):
        for name, text in {"shop/__init__.py": "", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        apps = ["django.contrib.auth", "django.contrib.contenttypes", "shop"]
        apps += ["drf_model_pusher"] if installed else []
        program = (
            "import django\n"
            "from django.conf import settings\n"
            f"settings.configure(INSTALLED_APPS={apps!r}, USE_TZ=True, **{settings!r})\n"
            "django.setup()\n"
            "from drf_model_pusher.registry import registry\n"
        ) + textwrap.dedent(line)
        return subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


FOUND = "from django.contrib.auth.models import User; print(registry.backends_for(User))"


class TestDiscovery:
    def test_backends_of_installed_apps_are_found(self):
        assert OrderPusherBackend in registry.backends_for(Order)

    def test_no_ready_of_the_users_app_needs_to_run(self, project):
        files = {
            "shop/pusher_backends.py": BACKEND,
            "shop/apps.py": """
                from django.apps import AppConfig

                class ShopConfig(AppConfig):
                    name = "shop"

                    def ready(self):
                        pass
            """,
        }
        assert "UserBackend" in project(files, FOUND).stdout

    @pytest.mark.parametrize("name", ["realtime.py", "realtime", "push/backends.py"])
    def test_the_setting_really_names_the_file(self, project, name):
        file = f"shop/{name.removesuffix('.py')}.py"
        files = {file: BACKEND, "shop/push/__init__.py": ""}
        result = project(files, FOUND, DRF_MODEL_PUSHER_BACKENDS_FILE=name)
        assert "UserBackend" in result.stdout

    def test_a_setting_that_names_no_file_is_told_by_the_log_and_a_check(self, project):
        line = "from django.core.management import call_command; call_command('check')"
        result = project({}, line, DRF_MODEL_PUSHER_BACKENDS_FILE="push.txt")
        assert result.stderr.startswith(
            "nothing pushed reason=setting hint=DRF_MODEL_PUSHER_BACKENDS_FILE is the name of a "
        )
        assert "(drf_model_pusher.E001) The setting DRF_MODEL_PUSHER_BACKENDS_FILE" in result.stderr

    def test_then_the_default_file_is_not_read(self, project):
        files = {"shop/pusher_backends.py": BACKEND}
        result = project(files, FOUND, DRF_MODEL_PUSHER_BACKENDS_FILE="realtime.py")
        assert result.stdout.strip() == "[]"

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("class Broken(:", "SyntaxError"),
            ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
            ("1 / 0", "ZeroDivisionError"),
        ],
    )
    def test_an_error_in_the_file_is_reported_as_itself(self, project, text, error):
        result = project({"shop/pusher_backends.py": text}, FOUND)
        assert result.returncode == 1
        assert error in result.stderr.splitlines()[-1]
        assert "pusher_backends.py" in result.stderr


@pytest.mark.parametrize(
    "push", ['push_change("update", User(pk=1))', 'push_many("update", [User(pk=1)])']
)
def test_a_view_tells_that_the_app_is_not_installed(project, push):
    """No check of ours runs then, and no backend is found."""
    line = f"""
        from django.contrib.auth.models import User
        from drf_model_pusher.views import ModelPusherViewMixin
        from rest_framework.viewsets import ModelViewSet

        class UserViewSet(ModelPusherViewMixin, ModelViewSet):
            queryset = User.objects.all()

        UserViewSet().{push}
    """
    result = project({}, line, installed=False)
    assert result.returncode == 0
    assert result.stderr == (
        'nothing pushed reason=setting hint=INSTALLED_APPS += ["drf_model_pusher"]\n'
    )
    installed = "nothing pushed reason=no_backend view=UserViewSet model=User\n"
    assert project({}, line).stderr == installed


README = {
    "shop/models.py": """
        from django.db.models import Model

        class MyModel(Model):
            pass
    """,
    "shop/serializers.py": """
        from rest_framework.serializers import ModelSerializer
        from shop.models import MyModel

        class MyModelSerializer(ModelSerializer):
            class Meta:
                model = MyModel
                fields = "__all__"
    """,
    "shop/pusher_backends.py": """
        from drf_model_pusher.backends import PusherBackend, PrivatePusherBackend
        from shop.models import MyModel
        from shop.serializers import MyModelSerializer

        class MyModelPusherBackend(PusherBackend):
            serializer_class = MyModelSerializer

        class MyModelPrivatePusherBackend(PrivatePusherBackend):
            serializer_class = MyModelSerializer

        class MyPusherBackend(PusherBackend):
            class Meta:
                abstract = True

        class MyModelBackend(MyPusherBackend):
            class Meta:
                model = MyModel
    """,
    "shop/views.py": """
        from rest_framework.viewsets import ModelViewSet
        from drf_model_pusher.views import ModelPusherViewMixin
        from shop.serializers import MyModelSerializer

        class MyModelViewSet(ModelPusherViewMixin, ModelViewSet):
            serializer_class = MyModelSerializer

            def get_pusher_channels(self):
                return ["channel"]
    """,
    "shop/urls.py": """
        from django.urls import re_path
        from drf_model_pusher.views import ChannelExistenceWebhook
        from shop.views import MyModelViewSet

        urlpatterns = [
            re_path(
                r"^pusher/channel-existence/$",
                ChannelExistenceWebhook.as_view(),
                name="pusher-channel-existence-webhook",
            ),
            re_path(r"^mymodels/$", MyModelViewSet.as_view({"post": "create"})),
        ]
    """,
}


class TestReadmeOf020:
    """What users of 0.2.0 wrote keeps working: each example of its README."""

    def test_its_examples_run(self, project):
        result = project(
            README,
            """
            from django.db import connection
            from rest_framework.test import APIClient
            from shop.models import MyModel
            with connection.schema_editor() as editor:
                editor.create_model(MyModel)
            assert APIClient().post("/mymodels/").status_code == 201
            assert APIClient().post("/pusher/channel-existence/").status_code == 401
            """,
            ROOT_URLCONF="shop.urls",
            ALLOWED_HOSTS=["testserver"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": []},
            DEFAULT_AUTO_FIELD="django.db.models.AutoField",
            DRF_MODEL_PUSHER_PROVIDER="drf_model_pusher.providers.ConsoleProvider",
            DRF_MODEL_PUSHER_DELIVERY="drf_model_pusher.delivery.InlineDelivery",
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == [
            '[pusher] mymodel.create → channel {"id": 1}',
            '[pusher] mymodel.create → private-channel {"id": 1}',
            '[pusher] mymodel.create → channel {"id": 1}',
        ]
