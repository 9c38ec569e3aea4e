"""Turns and rounds: variants alternate, so that a slow moment of the machine hits all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median


def turns(variants: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield each variant once a round; each begins as often, and follows each other one as often.

    What a variant has just done is fast for the next one, if that does the same.
    """
    count = len(variants)
    steps = [(step + 1) // 2 * (1 if step % 2 else -1) for step in range(count)]  # 0, 1, -1, 2, …
    for number in range(rounds):
        order = [variants[(number + step) % count] for step in steps]
        yield from order if number // count % 2 == 0 else reversed(order)


@dataclass
class Samples:
    """One value a variant and round."""

    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, variant: str, value: float) -> None:
        self.values[variant].append(value)

    def median(self, variant: str) -> float:
        return median(self.values[variant])

    def ratio(self, variant: str, base: str) -> float:
        """Return the median of the rounds' ratios: both sides of each met the same moment."""
        return median(
            value / other
            for value, other in zip(self.values[variant], self.values[base], strict=True)
        )

    def difference(self, variant: str, base: str) -> float:
        """Return the median of the rounds' differences."""
        return median(
            value - other
            for value, other in zip(self.values[variant], self.values[base], strict=True)
        )
