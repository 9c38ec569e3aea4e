"""The table in the docs says what the classes say of themselves."""

import re
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from drf_model_pusher import delivery
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import BaseDelivery

PAGE = Path(__file__).parents[2] / "docs" / "deliveries.md"
YES_OR_NO = {True: "yes", False: "no", None: "as the queue promises"}
TABLE = re.findall(r"^\| `(drf_model_pusher\.[\w.]+Delivery)`", PAGE.read_text(), re.MULTILINE)


def row(path, promises):
    cells = [
        f"`{path}`" + " (default)" * (path.endswith(".BackgroundDelivery")),
        promises.leaves,
        YES_OR_NO[promises.survives_crash],
        f"per {promises.keeps_order}" if promises.keeps_order else "no",
        YES_OR_NO[promises.waits_for_provider],
        promises.needs,
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("path", TABLE)
def test_a_row_of_the_table_is_what_its_class_promises(path):
    assert row(path, import_string(path)) in PAGE.read_text().splitlines()


def test_every_delivery_is_in_the_table():
    assert "drf_model_pusher.outbox.delivery.OutboxDelivery" in TABLE
    for name in delivery.__all__:
        if name.endswith("Delivery") and name != "BaseDelivery":
            assert f"drf_model_pusher.delivery.{name}" in TABLE


def test_the_default_is_marked(settings):
    del settings.DRF_MODEL_PUSHER_DELIVERY
    assert f"| `{app_settings.DRF_MODEL_PUSHER_DELIVERY}` (default) |" in PAGE.read_text()


def test_who_says_nothing_promises_nothing():
    assert not BaseDelivery.survives_crash
    assert BaseDelivery.keeps_order is None
    assert BaseDelivery.waits_for_provider
