"""Where the numbers of docs/performance.md come from: ``python -m benchmarks``."""
