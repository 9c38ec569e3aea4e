import os
import subprocess
import sys
from pathlib import Path


def test_a_quick_run_prints_its_tables_and_leaves_the_page_alone():
    """The numbers of such a run mean nothing: they are not looked at."""
    root = Path(__file__).parent.parent
    page = root / "docs" / "performance.md"
    before = page.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "startup", "processor"],
        cwd=root,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "| calls for an event on 1,000 channels | 10 | 10 | met |" in done.stdout
    assert page.read_text() == before
