"""Fixtures of the tests that run the whole product."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kestrel.support import Ports, Program, Start, eventually, ours


@pytest.fixture
def ports() -> Ports:
    return Ports()


@pytest.fixture
def start(home: Path, ports: Ports, tmp_path: Path) -> Iterator[Start]:
    started: list[Program] = []

    def call(*arguments: str, command: str = "up", environment: dict[str, str] | None = None) -> Program:
        program = Program(
            [sys.executable, "-m", "kestrel", command, *arguments],
            env=ports.environment(home) | (environment or {}),
            cwd=tmp_path,
        )
        started.append(program)
        return program

    yield call
    for program in started:
        program.close()
    eventually(lambda: not ours(home), 20.0, "everything of this home ended")
