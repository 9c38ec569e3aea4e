"""The short form of ``make chaos``."""

from tests.outbox import chaos
from tests.outbox.databases import use_driver


def test_everything_fails_and_nothing_is_lost():
    use_driver("postgresql")
    counts = chaos.run(writes=200, rolled_back=20, seed=1)
    assert counts["committed"] >= 200
    assert counts["crashes of the database"] == 2
    assert {name: counts[name] for name in chaos.VERDICT} == dict.fromkeys(chaos.VERDICT, 0)
