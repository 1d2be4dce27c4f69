"""What a run leaves in the Prefect UI for a person to look at."""

from __future__ import annotations

from prefect.artifacts import acreate_image_artifact, acreate_table_artifact

from flows.charts import as_data_url
from shared.db.source_runs import Run

MAX_ROWS = 100


async def came_in(run: Run) -> None:
    """A table: each source with its counts, their sum, and the first rows that were refused."""
    rows: list[dict[str, object]] = [
        {
            "source": part.name,
            "report": part.report,
            **{name: getattr(part.counts, name) for name in part.counts.__struct_fields__},
            "note": part.note,
        }
        for part in run.parts[:MAX_ROWS]
    ]
    total = {name: getattr(run.counts, name) for name in run.counts.__struct_fields__}
    rows.append({"source": "all", "report": "", **total, "note": run.error})
    lines = [f"**{run.source}, run {run.id}**: read = new + unchanged + revised + refused"]
    lines += [f"- refused: {where}: {reason}" for where, reason in run.refusals]
    await acreate_table_artifact(table=rows, key=f"{run.source}-came-in", description="\n".join(lines))


async def picture(key: str, png: bytes, description: str) -> None:
    """A chart; the key names it over all runs: small letters, digits and dashes."""
    await acreate_image_artifact(image_url=as_data_url(png), key=key, description=description)
