"""The way of one order from the bytes of its cause to its fill, stage by stage."""

from __future__ import annotations

import msgspec

from shared.db.rows import OrderRow

#: (name, what it means). ``name`` + ``_ns`` is the stamp's column.
STAGES: tuple[tuple[str, str], ...] = (
    ("seen", "the notice's bytes reached this machine"),
    ("decoded", "the notice is understood"),
    ("decided", "rules, risk and size say: trade"),
    ("signed", "the request is built and signed"),
    ("journaled", "the intent is in the journal"),
    ("written", "the request is handed to the kernel"),
    ("acknowledged", "the exchange accepted the order"),
    ("filled", "the exchange reports the fill"),
)
_AT_THE_VENUE = frozenset({"acknowledged", "filled"})


class Stage(msgspec.Struct, frozen=True):
    """One reached stage: how long it took since the stage before it."""

    name: str
    meaning: str
    at_ns: int
    took_ns: int
    at_venue: bool


class Timeline(msgspec.Struct, frozen=True):
    """``here_ns``: first stamp to written. ``venue_ns``: written to the last word of the exchange."""

    stages: tuple[Stage, ...]
    here_ns: int | None
    venue_ns: int | None

    @property
    def here(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.stages[1:] if not stage.at_venue)

    @property
    def venue(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.stages if stage.at_venue)


def timeline(order: OrderRow) -> Timeline:
    """The reached stages in the order of time.

    A fill may be pushed before the answer to the request arrives: both orders are true, so the
    stamps decide. Stages that were not reached (0) are left out.
    """
    reached = [
        (at_ns, name, meaning) for name, meaning in STAGES if (at_ns := getattr(order, f"{name}_ns")) > 0
    ]
    reached.sort(key=lambda entry: entry[0])  # stable: equal stamps keep the order of the stages
    stages = tuple(
        Stage(
            name, meaning, at_ns, at_ns - (reached[index - 1][0] if index else at_ns), name in _AT_THE_VENUE
        )
        for index, (at_ns, name, meaning) in enumerate(reached)
    )
    written = order.written_ns
    last = max((stage.at_ns for stage in stages if stage.at_venue), default=0)
    return Timeline(
        stages,
        here_ns=written - stages[0].at_ns if written > 0 else None,
        venue_ns=last - written if written > 0 and last > 0 else None,
    )
