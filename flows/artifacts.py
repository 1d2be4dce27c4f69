"""What a run leaves in the Prefect UI for a person to look at."""

from __future__ import annotations

import msgspec
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows.charts import as_data_url
from shared.db.source_runs import COUNTS, Run

MAX_ROWS = 100


async def came_in(run: Run) -> None:
    """A table: each source with its counts, their sum, and the first rows that were refused."""
    rows: list[dict[str, object]] = [msgspec.to_builtins(part) for part in run.detail.sources[:MAX_ROWS]]
    rows.append({"name": "all", "report": "", **msgspec.to_builtins(run.counts), "note": run.detail.error})
    order = ("name", "report", *COUNTS, "note")
    rows = [{name: row[name] for name in order} for row in rows]
    lines = [f"**{run.source}, run {run.id}**: read = new + unchanged + revised + refused"]
    lines += [f"- refused: {one.where}: {one.reason}" for one in run.detail.refusals[:MAX_ROWS]]
    await acreate_table_artifact(table=rows, key=f"{run.source}-came-in", description="\n".join(lines))


async def picture(key: str, png: bytes, title: str) -> None:
    """A chart; the key names it over all runs: small letters, digits and dashes.

    As text with the picture in it: an image artifact would print the whole picture as its address, too.
    """
    await acreate_markdown_artifact(markdown=f"![{title}]({as_data_url(png)})", key=key, description=title)
