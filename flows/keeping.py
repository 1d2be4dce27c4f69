"""From a reading of a source to rows: what the flow and ``kestrel cot import`` both do."""

from __future__ import annotations

from flows.sources.cot_reading import Reading
from shared.db import cot_store
from shared.db.source_runs import Part, Refusal
from shared.errors import SourceDataError


def keep(url: str, run_id: int, reading: Reading, note: str = "", *, once: bool = True) -> Part:
    """Store a reading of the Commitments of Traders and count it in its run.

    Raises :class:`SourceDataError` when rows came and not one of them is sound: then the source has changed,
    and nothing is stored.
    """
    if reading.refused and not reading.rows:
        first = reading.refused[0]
        raise SourceDataError(
            f"{reading.source}: none of its {reading.read} rows can be used; {first.where}: {first.reason}"
        )
    return cot_store.store(
        url,
        run_id,
        reading.source,
        reading.report,
        reading.rows,
        repeated=reading.repeated,
        refused=[Refusal(one.where, one.reason) for one in reading.refused],
        snapshot_ns=reading.snapshot_ns,
        note=note,
        once=once,
    )
