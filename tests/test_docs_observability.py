"""docs/observability.md names each line that the package logs, with its fields, and no other."""

import ast
import re

from tests.test_docs import PACKAGE, ROOT

PAGE = (ROOT / "docs" / "observability.md").read_text()

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def logged():
    """Return level, words and fields of each call of a logger in the source."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and "logger" in node.func.value.id.lower()
            ):
                text = node.args[0]
                assert isinstance(text, ast.Constant), f"{path}:{node.lineno} is no constant text"
                yield node.func.attr.replace("exception", "error"), *parsed(text.value)


def parsed(text):
    """Split a line into its words and the names of its fields."""
    words = re.split(r" \w+=", text, maxsplit=1)[0]
    return words, tuple(re.findall(r"(\w+)=", text))


def documented():
    for words, level, fields in re.findall(r"^\| `([^`]+)` \| (\w+) \| (.*?) \|", PAGE, re.M):
        yield level, words, tuple(re.findall(r"`(\w+)`", fields))


def test_each_line_of_the_log_is_documented_with_its_fields():
    assert sorted(set(documented())) == sorted(set(logged())), (
        "A row of the log's tables in docs/observability.md is: words, level, fields in order."
    )


def test_each_name_of_telemetry_is_documented():
    source = (PACKAGE / "otel.py").read_text()
    names = re.findall(
        r'"((?:messaging|drf_model_pusher|server|error)\.[a-z_.]+)"', source.split('"""', 2)[2]
    )
    assert [name for name in names if f"`{name}`" not in PAGE] == []
