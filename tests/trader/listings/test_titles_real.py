"""Against real titles, when the data is there: nothing may be read wrong, and every name must be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from trader.listings import titles

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "listings" / "upbit_titles.jsonl"


def _rows() -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in DATA.read_bytes().splitlines()] if DATA.exists() else []


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/listings/upbit_titles.jsonl")
def test_every_labelled_title_is_read_exactly() -> None:
    rows = _rows()
    wrong = []
    for row in rows:
        result = titles.parse(row["title"])
        by_symbol = {symbol: tuple(names) for symbol, names in row.get("markets_by_symbol", {}).items()}
        got = (result.kind, result.symbols, result.markets, result.markets_by_symbol, result.amended)
        label = (row["kind"], tuple(row["symbols"]), tuple(row["markets"]), by_symbol, row["amended"])
        if got != label:
            wrong.append(f"{row['title']}: {got}, labelled {label}")
    assert len(rows) > 100
    assert wrong == []
