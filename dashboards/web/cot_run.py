"""What the last reading of the source brought in, as HTML."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from dashboards.web import figures
from dashboards.web.cot_status import unfinished
from dashboards.web.elements import attribute, number, table
from shared.db.source_runs import COUNTS, Run

PART_COLUMNS = ("Source", "Report", *(name.capitalize() for name in COUNTS), "Note")
_TRIGGERS = {"flow": "by the flow", "import": "from files, by hand"}


def summary(run: Run, done: Run | None, now_ns: int) -> str:
    """One line with the counts; of the last one that was done besides when the newest was not."""
    shown = _line(run, now_ns)
    if run.state != "done" and done is not None:
        shown += f'<p class="k-dim c-note">Before it: {_when(done, now_ns)}, {_sum(done)}.</p>'
    return f'<div data-testid="cot-run" data-state="{attribute(run.state)}">{shown}</div>'


def _line(run: Run, now_ns: int) -> str:
    state = {"done": "good", "failed": "bad"}.get(run.state, "warning")
    word = "ended unfinished" if unfinished(run, now_ns) else run.state
    numbers = {name: getattr(run, f"{name}_rows") for name in COUNTS}
    counts = "".join(
        f"<div><dt>{name.capitalize()}</dt><dd>{number(f'run-{name}', Decimal(count), figures.amount(Decimal(count), 0))}</dd></div>"
        for name, count in numbers.items()
    )
    return (
        f'<p class="c-note"><span class="k-tag k-{state}">{escape(word)}</span> {_when(run, now_ns)}</p>'
        f'<dl class="k-facts k-inline">{counts}</dl>'
        + (
            f'<p class="k-problem" data-testid="run-error">{escape(run.detail.error)}</p>'
            if run.detail.error
            else ""
        )
    )


def _when(run: Run, now_ns: int) -> str:
    at_ns = run.finished_ns or run.started_ns
    took = f", took {figures.duration(run.finished_ns - run.started_ns)}" if run.finished_ns else ""
    by = _TRIGGERS.get(run.detail.trigger, "")
    return escape(
        f"{figures.clock_time(at_ns, now_ns)} ({figures.age(now_ns - at_ns)}){', ' if by else ''}{by}{took}"
    )


def _sum(run: Run) -> str:
    """The counts of a run as the sum that they are."""
    parts = " + ".join(f"{getattr(run, f'{name}_rows')} {name}" for name in COUNTS[1:])
    return f"{run.read_rows} read = {parts}"


def parts(run: Run) -> str:
    """What each file or query gave."""
    rows = [
        (
            'data-testid="cot-part"',
            [
                f"<strong>{escape(part.name)}</strong>",
                escape(part.report),
                *(
                    number(
                        name, Decimal(getattr(part, name)), figures.amount(Decimal(getattr(part, name)), 0)
                    )
                    for name in COUNTS
                ),
                escape(part.note),
            ],
        )
        for part in run.detail.sources
    ]
    return table("cot-parts", PART_COLUMNS, rows)


def refusals(run: Run) -> str:
    """The rows that were left out: where and why."""
    shown = "".join(
        f'<li data-testid="cot-refusal"><code>{escape(one.where)}</code> {escape(one.reason)}</li>'
        for one in run.detail.refusals
    )
    rest = run.refused_rows - len(run.detail.refusals)
    more = f'<p class="k-dim c-note">and {rest} more.</p>' if rest > 0 else ""
    return f'<ul class="c-list">{shown}</ul>{more}'
