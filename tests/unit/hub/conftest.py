from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.hub.asgi import HubClient, running_hub


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubClient]:
    async with running_hub(tmp_path) as client:
        yield client
