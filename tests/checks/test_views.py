"""What is wrong between views, their backends and the mixin is said before a request meets it."""

import sys
from types import ModuleType

import pytest
from django.core.checks import run_checks
from django.db.models import Count
from django.urls import include, path
from rest_framework import generics, permissions, serializers, viewsets
from rest_framework.routers import SimpleRouter

from drf_model_pusher.backends import PrivatePusherBackend, PusherBackend
from drf_model_pusher.checks.leaks import check_leaks
from drf_model_pusher.checks.occupancy import check_occupancy
from drf_model_pusher.checks.views import check_views
from drf_model_pusher.registry import registry
from drf_model_pusher.views import ModelPusherViewMixin
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer, OrderForStaffSerializer, OrderSerializer

pytestmark = pytest.mark.usefixtures("own_registry")


@pytest.fixture
def route(settings, monkeypatch):
    """Let the project's URLs lead to views."""

    def route(*views):
        router = SimpleRouter()
        patterns = [path("api/", include(router.urls))]
        for number, view in enumerate(views):
            if issubclass(view, viewsets.ViewSetMixin):
                router.register(f"set{number}", view, basename=f"set{number}")
            else:
                patterns.append(path(f"view{number}/", view.as_view()))
        patterns[0] = path("api/", include(router.urls))
        module = ModuleType("urls_of_checks")
        module.urlpatterns = patterns
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.ROOT_URLCONF = "tests.urls"
        settings.ROOT_URLCONF = module.__name__

    return route


def ids(messages):
    assert all(message.hint and message.obj for message in messages)
    return [message.id.removeprefix("drf_model_pusher.") for message in messages]


class Orders(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def get_pusher_channels(self):
        return ["orders"]


@pytest.fixture
def async_orders():
    sets = pytest.importorskip("adrf.viewsets", reason="the extra [async] is not installed")
    names = ("queryset", "serializer_class", "get_pusher_channels")
    members = {name: vars(Orders)[name] for name in names}
    return type("AsyncOrders", (ModelPusherViewMixin, sets.ModelViewSet), members)


def view(*bases, **attributes):
    return type("View", bases or (Orders,), attributes)


class TestChannels:
    def test_none_on_the_view_and_none_on_the_backend(self, route):
        nameless = view(get_pusher_channels=ModelPusherViewMixin.get_pusher_channels)
        route(nameless)
        (error,) = check_views()
        assert (error.id, error.obj) == ("drf_model_pusher.E023", nameless)
        assert "OrderPusherBackend name no channels" in error.msg

    @pytest.mark.parametrize(
        "attributes",
        [
            {"channels": ["orders.{pk}"]},
            {"get_channels": lambda self, instance=None: ["orders"]},
            {"get_packet": lambda self, event, instance: (["orders"], event, {})},
        ],
    )
    def test_the_backend_may_name_them_in_any_way(self, route, attributes):
        for backend in registry.backends_for(Order)[:]:
            registry.unregister(backend)
        type("Own", (PusherBackend,), {"serializer_class": OrderSerializer, **attributes})
        route(view(get_pusher_channels=ModelPusherViewMixin.get_pusher_channels))
        assert check_views() == []

    def test_a_view_that_writes_nothing_needs_none(self, route):
        reads = view(
            ModelPusherViewMixin,
            viewsets.ReadOnlyModelViewSet,
            queryset=Order.objects.all(),
            serializer_class=OrderSerializer,
        )
        route(reads, generics.ListAPIView)
        assert check_views() == []


class TestBackends:
    def test_a_model_without_any_is_pushed_by_nobody(self, route):
        lines = view(queryset=Line.objects.all(), serializer_class=LineSerializer)
        route(lines)
        (warning,) = check_views()
        assert (warning.id, warning.obj) == ("drf_model_pusher.W022", lines)
        assert "Line has no backend" in warning.msg

    def test_a_view_that_has_backends_of_its_own_is_silent(self, route):
        class Own(Orders):
            queryset = Line.objects.all()

            def get_pusher_backends(self, model=None):
                return []

        class NoModel(Orders):
            queryset = serializer_class = None

        route(Own, NoModel)
        assert check_views() == []


class TestAnnotations:
    @pytest.fixture
    def counted(self):
        class Counted(OrderSerializer):
            line_count = serializers.IntegerField(read_only=True)

            class Meta(OrderSerializer.Meta):
                fields = [*OrderSerializer.Meta.fields, "line_count"]

        return Counted

    @pytest.fixture
    def orders(self, route, counted):
        for backend in registry.backends_for(Order)[:]:
            registry.unregister(backend)
        queryset = Order.objects.annotate(line_count=Count("lines"))
        orders = view(queryset=queryset, serializer_class=counted)
        route(orders)
        return orders

    def test_of_the_views_queryset_are_missing_from_the_push(self, orders, counted):
        class Plain(PusherBackend):
            serializer_class = counted

        (warning,) = check_views()
        assert (warning.id, warning.obj) == ("drf_model_pusher.W025", orders)
        assert "Plain pushes no line_count" in warning.msg

    def test_that_the_backend_reads_again_are_not(self, orders, counted):
        class Again(PusherBackend):
            serializer_class = counted
            refetch = True

            def get_queryset(self):
                return Order.objects.annotate(line_count=Count("lines"))

        assert check_views() == []

    def test_that_the_serializer_does_not_show_do_not_matter(self, orders):
        class Short(PusherBackend):
            serializer_class = OrderSerializer

        assert check_views() == []


class StaffOrders(Orders):
    permission_classes = [permissions.IsAdminUser]


class TestLeaks:
    def test_everybody_hears_what_only_some_may_get(self, route):
        route(StaffOrders)
        (warning,) = check_leaks()
        assert (warning.id, warning.obj.__name__) == ("drf_model_pusher.W024", "OrderPusherBackend")
        assert "everybody hears what StaffOrders shows to signed-in users only" in warning.msg

    @pytest.mark.parametrize(
        ("classes", "leaks"),
        [
            ([permissions.IsAuthenticated], True),
            ([permissions.DjangoModelPermissions], True),
            ([permissions.AllowAny, permissions.IsAuthenticated], True),
            ([permissions.IsAdminUser | permissions.IsAuthenticated], True),
            ([permissions.AllowAny & permissions.IsAuthenticated], True),
            ([permissions.IsAdminUser | permissions.AllowAny], False),
            ([~permissions.IsAuthenticated], False),
            ([permissions.IsAuthenticatedOrReadOnly], False),
            ([permissions.DjangoModelPermissionsOrAnonReadOnly], False),
            ([], False),
        ],
    )
    def test_permissions_tell(self, route, classes, leaks):
        route(view(permission_classes=classes))
        assert ids(check_leaks()) == ["W024"] * leaks

    def test_permissions_of_async_views_tell(self, route, async_orders):
        route(view(async_orders, permission_classes=[permissions.IsAdminUser]))
        assert ids(check_leaks()) == ["W024"]

    def test_fields_that_the_view_does_not_show(self, route):
        class Staff(PusherBackend):
            serializer_class = OrderForStaffSerializer

        route(Orders)
        (warning,) = check_leaks()
        assert warning.obj is Staff
        assert "everybody hears placed, reference, which Orders does not show" in warning.msg

    def test_fields_that_are_written_only_are_shown_by_neither(self, route):
        class WithSecret(serializers.ModelSerializer):
            class Meta:
                model = Order
                fields = ["id", "customer", "reference"]
                extra_kwargs = {"reference": {"write_only": True}}

        class Backend(PusherBackend):
            serializer_class = WithSecret

        route(Orders)
        assert check_leaks() == []

    def test_what_another_view_shows_to_everybody_is_no_leak(self, route):
        class Public(viewsets.ReadOnlyModelViewSet):
            queryset = Order.objects.all()
            serializer_class = OrderSerializer

        route(StaffOrders, Public)
        assert check_leaks() == []

    def test_private_backends_leak_nothing(self, route):
        for backend in registry.backends_for(Order)[:]:
            registry.unregister(backend)

        class Private(PrivatePusherBackend):
            serializer_class = OrderForStaffSerializer

        route(StaffOrders)
        assert check_leaks() == []

    def test_what_code_decides_is_not_guessed(self, route):
        class Decides(StaffOrders):
            def get_permissions(self):
                return [permissions.AllowAny()]

            def get_serializer_class(self):
                return OrderSerializer

        class Staff(PusherBackend):
            serializer_class = OrderForStaffSerializer

        route(Decides)
        assert check_leaks() == []


class TestCare:
    def test_django_runs_them(self, route):
        route(StaffOrders, view(get_pusher_channels=ModelPusherViewMixin.get_pusher_channels))
        found = [message.id.removeprefix("drf_model_pusher.") for message in run_checks()]
        assert "E023" in found

        route(StaffOrders)
        found = [message.id.removeprefix("drf_model_pusher.") for message in run_checks()]
        assert found == ["W024"]

    def test_broken_urls_are_left_to_django(self, settings, tmp_path, monkeypatch):
        (tmp_path / "broken_urls.py").write_text("raise RuntimeError('not today')")
        monkeypatch.syspath_prepend(tmp_path)
        settings.ROOT_URLCONF = "broken_urls"
        settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
        assert (check_views(), check_leaks()) == ([], [])
        assert [message.id for message in check_occupancy()] == ["drf_model_pusher.W001"]

    def test_views_may_be_anything(self, route):
        class Odd(Orders):
            @property
            def queryset(self):
                raise RuntimeError

            serializer_class = 7
            permission_classes = 7
            perform_create = 7

        route(Odd)
        assert (check_views(), check_leaks()) == ([], [])

    def test_the_database_is_not_asked(self, route):
        """Without the database's mark a query is an error."""

        class Staff(PusherBackend):
            serializer_class = OrderForStaffSerializer

        route(Orders, StaffOrders)
        assert ids([*check_views(), *check_leaks()]) == ["W024"]
