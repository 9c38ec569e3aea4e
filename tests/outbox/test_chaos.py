"""The short form of ``make chaos``."""

import pytest

from tests.outbox import chaos
from tests.outbox.databases import use_driver


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_everything_fails_and_nothing_is_lost(kind):
    if kind != "sqlite":
        use_driver(kind)
    counts = chaos.run(writes=200, rolled_back=20, seed=1, kind=kind)
    assert counts["committed"] >= 200
    assert counts["crashes of the database"] == 2
    assert {name: counts[name] for name in chaos.VERDICT} == dict.fromkeys(chaos.VERDICT, 0)
