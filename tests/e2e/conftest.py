"""A cluster with the operator of this checkout, a namespace for each test, and what is kept when a test fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from tests.demo.clusters import chosen_cluster
from tests.e2e import diagnostics, namespaces
from tests.e2e.figures import Figure
from tests.e2e.installation import Installation, install
from tests.e2e.namespaces import Namespace

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what may explain a failure, before the namespaces go."""
    report = yield
    if report.failed and FOLDER in item.path.parents:
        folder = item.config.rootpath / "build" / "e2e" / re.sub(r"[^\w.-]+", "-", item.name)
        diagnostics.collect(chosen_cluster().kubectl, namespaces.LIVE, folder)
        report.sections.append(("kept", f"logs, Events and objects are in {folder}"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured."""
    for report in terminalreporter.getreports("passed"):
        for what, value in report.user_properties if report.when == "call" else ():
            terminalreporter.write_line(f"{what}: {value:,.1f}")


@pytest.fixture
def figure(record_property: Figure) -> Figure:
    """Take figures."""
    return record_property


@pytest.fixture(scope="session")
def installation() -> Installation:
    """Give the cluster with the operator installed."""
    return asyncio.run(install())


@pytest.fixture
async def namespace(installation: Installation) -> AsyncIterator[Namespace]:
    """Give a new namespace."""
    name = await namespaces.create(installation.kubectl)
    async with namespaces.opened(installation, name) as opened:
        yield opened
    await namespaces.delete(installation.kubectl, name)


@pytest.fixture(scope="module")
def shared_name(installation: Installation) -> Iterator[str]:
    """Give the name of a new namespace for all tests of a module."""
    name = asyncio.run(namespaces.create(installation.kubectl))
    yield name
    asyncio.run(namespaces.delete(installation.kubectl, name))


@pytest.fixture
async def shared(installation: Installation, shared_name: str) -> AsyncIterator[Namespace]:
    """Give the namespace of the module."""
    async with namespaces.opened(installation, shared_name) as opened:
        yield opened
