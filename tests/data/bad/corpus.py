"""All bad data sets: at least sixty, of every kind that people have sent or would send on purpose."""

from __future__ import annotations

from tests.data.bad.broken_binary import BROKEN_BINARY
from tests.data.bad.broken_json import BROKEN_JSON
from tests.data.bad.broken_text import BROKEN_TEXT
from tests.data.bad.case import BadData
from tests.data.bad.wrong_declarations import WRONG_DECLARATIONS
from tests.data.bad.wrong_targets import WRONG_TARGETS
from tests.data.bad.wrong_values import WRONG_VALUES

CORPUS: tuple[BadData, ...] = (
    *BROKEN_TEXT,
    *BROKEN_BINARY,
    *BROKEN_JSON,
    *WRONG_VALUES,
    *WRONG_TARGETS,
    *WRONG_DECLARATIONS,
)
