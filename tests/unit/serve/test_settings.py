"""What the environment says."""

import logging
import sys

import msgspec
import pytest
from tests.unit.serve.made_models import numeric, serve_config

from evermodel_runtime.serve.log_lines import JsonLines
from evermodel_runtime.serve.settings import SettingsError, read_settings

CONFIG = serve_config(numeric())
GOOD = {"EVERMODEL_SERVE": msgspec.json.encode(CONFIG).decode(), "EVERMODEL_TOKEN": "secret"}


def test_a_pod_needs_its_config_and_its_token() -> None:
    settings = read_settings(GOOD)

    assert (settings.config, settings.token) == (CONFIG, "secret")
    assert (settings.host, settings.port, settings.drain_seconds) == ("0.0.0.0", 8080, 10.0)


def test_a_restarted_process_counts_under_another_name() -> None:
    assert read_settings(GOOD).pod != read_settings(GOOD).pod


def test_tests_and_operators_may_change_the_rest() -> None:
    settings = read_settings(
        GOOD | {"EVERMODEL_HOST": "127.0.0.1", "EVERMODEL_PORT": "9000", "EVERMODEL_DRAIN_SECONDS": "2.5"}
    )

    assert (settings.host, settings.port, settings.drain_seconds) == ("127.0.0.1", 9000, 2.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"EVERMODEL_SERVE": ""}, "EVERMODEL_SERVE is not set", id="no config"),
        pytest.param({"EVERMODEL_TOKEN": ""}, "EVERMODEL_TOKEN is not set", id="no token"),
        pytest.param({"EVERMODEL_SERVE": "{}"}, "EVERMODEL_SERVE is no ServeConfig", id="empty config"),
        pytest.param({"EVERMODEL_SERVE": "{"}, "EVERMODEL_SERVE is no ServeConfig", id="half a config"),
        pytest.param({"EVERMODEL_PORT": "http"}, "EVERMODEL_PORT is 'http', which is no number", id="port"),
        pytest.param({"EVERMODEL_DRAIN_SECONDS": "-1"}, "it must be zero or more", id="negative drain"),
        pytest.param({"EVERMODEL_DRAIN_SECONDS": "inf"}, "it must be zero or more", id="endless drain"),
        pytest.param({"EVERMODEL_DRAIN_SECONDS": "nan"}, "it must be zero or more", id="NaN drain"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(GOOD | change)

    assert words in str(raised.value)


def test_a_log_line_is_one_json_object_with_its_extras() -> None:
    try:
        int("bad")
    except ValueError:
        record = logging.LogRecord("serve", logging.ERROR, "f.py", 1, "it is %s", ("so",), sys.exc_info())
    record.reason = "because"

    line = JsonLines().format(record)

    decoded = msgspec.json.decode(line)
    assert "\n" not in line
    assert (decoded["level"], decoded["message"], decoded["reason"]) == ("error", "it is so", "because")
    assert "ValueError: invalid literal" in decoded["traceback"]
