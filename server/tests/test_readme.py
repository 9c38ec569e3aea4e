"""The README: its code runs, its tables are complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pusher_dev_server
from pusher_dev_server import cli
from pusher_dev_server.configuration import parse_apps, parse_limits

README = (Path(__file__).parents[1] / "README.md").read_text()
SOURCE = Path(pusher_dev_server.__file__).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.S | re.M)


def test_the_test_in_the_readme_passes(pusher_dev_server):
    (source,) = (block for block in blocks("python") if "def test_" in block)
    namespace: dict = {}
    exec(source, namespace)
    namespace["test_an_order_is_announced"](pusher_dev_server)
    assert [event.name for event in pusher_dev_server.events] == ["order.create"]


def test_the_other_python_in_the_readme_runs(server):
    for source in blocks("python"):
        exec(source.replace("6001", str(server.port)), {})
    assert [event.channel for event in server.events] == ["orders"]


def test_the_file_in_the_readme_is_a_configuration():
    (text,) = blocks("json")
    values = json.loads(text)
    assert len(parse_apps(values["apps"])) == 2
    assert parse_limits(values["limits"]).presence_members == 500


def test_each_option_of_the_command_is_in_the_readme(capsys):
    try:
        cli.main(["--help"])
    except SystemExit:
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert {each for each in options if f"`{each}" not in README} == {"--help", "--version"}


def test_each_line_of_the_log_is_in_the_readme():
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    logged = re.findall(r'logger\.(?:warning|error|exception)\(\s*"(\w+)([^"]*)"', source)
    for words, fields in logged:
        (row,) = re.findall(rf"^\| `{words}` \|.*$", README, re.M)
        assert re.findall(r"(\w+)=", fields) == re.findall(r"`(\w+)`", row)[1:]
    assert len(logged) == README.count("| error |") + README.count("| warning |")
