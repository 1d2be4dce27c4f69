"""Fixtures of the tests of flows."""

from __future__ import annotations

import pytest

from tests.flows.prefect_server import prefect_api

__all__ = ["prefect_api"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Prefect 3.9 leaves a connection of each flow run to the garbage collector (results.py, line 118)."""
    for item in items:
        if isinstance(item, pytest.Function) and "prefect_api" in item.fixturenames:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
