import pytest

from drf_model_pusher.backends import PusherBackend
from tests.depot.models import Customer, Parcel
from tests.depot.serializers import ItemSerializer, ParcelSerializer
from tests.outbox import databases


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory, django_db_setup, django_db_blocker):
    """The alias of a database, which a test that uses it names in its mark."""
    with (
        django_db_blocker.unblock(),
        databases.database("postgresql", tmp_path_factory.mktemp("postgresql")) as settings,
        databases.migrated("changes-postgresql", settings) as alias,
    ):
        yield alias


@pytest.fixture
def database(request):
    """The alias of a database of a kind."""
    return "default" if request.param == "sqlite" else request.getfixturevalue(request.param)


@pytest.fixture
def customer():
    return Customer.objects.create(slug="ada")


@pytest.fixture
def parcel(customer):
    return Parcel.objects.create(customer=customer)


@pytest.fixture
def declare(own_registry):
    """Declare a backend of parcels, or of what the serializer is of."""

    def declare(observe=False, **attributes):
        attributes = {
            "serializer_class": ParcelSerializer,
            "channels": ["parcels"],
            "Meta": type("Meta", (), {"observe": observe}),
        } | attributes
        # An outbox finds it by its name.
        name = f"Declared{attributes['serializer_class'].__name__}"
        return type(name, (PusherBackend,), attributes)

    return declare


@pytest.fixture
def declare_items(declare):
    def declare_items(observe=False, **attributes):
        attributes = {"serializer_class": ItemSerializer, "channels": ["items"]} | attributes
        return declare(observe, **attributes)

    return declare_items


@pytest.fixture
def told(memory):
    """What was pushed, as lines of text."""
    return lambda: [f"{' '.join(event.channels)}: {event.name}" for event in memory]
