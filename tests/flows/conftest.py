"""Fixtures of the tests of flows."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.flows.prefect_server import prefect_api

__all__ = ["prefect_api"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prefect 3.9 leaves a connection of each flow run to the garbage collector (results.py, line 118)."""
    for item in items:
        if isinstance(item, pytest.Function) and "prefect_api" in item.fixturenames:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True)
def collected(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what a flow run leaves while its own test still ignores it, not in whichever test comes next."""
    yield
    if "prefect_api" in request.fixturenames:
        gc.collect()
