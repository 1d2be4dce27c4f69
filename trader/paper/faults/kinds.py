"""The kinds of fault and their arguments. A kind is a struct; its name is what ``do`` says.

Every kind also takes ``times`` (at most so many hits, 0 = no bound) and ``seed`` (of its probability and jitter).
Times are milliseconds of real time. ``then`` says how a connection ends that gets no answer: ``close`` (FIN),
``reset`` (RST) or ``hang`` (open and silent until the client goes, the fault is removed, or ten minutes).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from shared.errors import UsageError

Ms = Annotated[float, msgspec.Meta(ge=0, le=600_000)]
Then = Literal["close", "hang", "reset"]
Name = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]


class Kind(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What all kinds share."""

    times: Annotated[int, msgspec.Meta(ge=0)] = 0
    seed: int = 0


class Delay(Kind):
    """REST: wait before the request is looked at, and after it was executed. Channel: pushes come later, in order.

    ``jitter_ms`` adds evenly spread 0 … jitter to each delay that is not zero.
    """

    before_ms: Ms = 0
    after_ms: Ms = 0
    jitter_ms: Ms = 0


class DropRequest(Kind):
    """The request is read and never executed; nothing is answered."""

    then: Then = "close"


class AnswerLost(Kind):
    """The request is executed; its answer is never sent."""

    then: Then = "close"


class DuplicateAnswer(Kind):
    """The same HTTP response twice on the connection: the second looks like the answer to the next request."""


class Status(Kind):
    """Another answer: a gateway's HTML page, or with ``code`` the venue's envelope. ``executed``: after doing it."""

    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 502
    code: Name = ""
    message: Text = "injected"
    body: Text = ""
    retry_after_s: Annotated[int, msgspec.Meta(ge=0)] = 0
    executed: bool = False


class MalformedJson(Kind):
    """The answer (or push) has its true length and is no JSON: a comma too many."""


class TruncatedJson(Kind):
    """Only the first part of the answer (or push); ``length`` says whether Content-Length admits it.

    With ``too_large`` the header promises the whole body, and the connection ends (``then``) inside it.
    """

    keep: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    length: Literal["correct", "too_large"] = "correct"
    then: Then = "close"


class UnknownEnum(Kind):
    """A field gets a value that no document names; without ``field`` every status field."""

    field: Name = ""
    value: Name = "not_documented"


class NullPrice(Kind):
    """A field becomes null; without ``field`` every price field."""

    field: Name = ""


class NotFound(Kind):
    """Orders, plans and positions younger than ``young_ms`` are not there yet for GET calls."""

    young_ms: Ms = 1000


class Reset(Kind):
    """RST instead of an answer; ``executed``: after doing it. Channel: RST instead of the push."""

    executed: bool = False


class BlackHole(Kind):
    """The connection is read and never answered again. Channel: from that push on, not even pongs."""

    executed: bool = False


class SlowSlices(Kind):
    """The answer in slices of ``bytes`` with ``pause_ms`` between, for at most ``most_ms``, then the rest at once."""

    bytes: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1
    pause_ms: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 5
    most_ms: Ms = 60_000


class CloseIdle(Kind):
    """A connection that idled for ``idle_ms`` is closed: by the clock, or when the next request's bytes arrive."""

    idle_ms: Ms = 0
    at: Literal["timer", "write"] = "write"
    then: Literal["close", "reset"] = "close"


class StaleSnapshot(Kind):
    """GET: an earlier answer to the same call of the same account, up to ``hold_ms`` old, with a new requestTime."""

    hold_ms: Ms = 1000


class SkewedClock(Kind):
    """The exchange's wall clock is ``ms`` ahead (negative: behind) while the fault stands. Takes no match."""

    ms: Annotated[int, msgspec.Meta(ge=-(10**12), le=10**12)]


class Maintenance(Kind):
    """``down``: every call is refused, websocket handshakes too. ``cancel_only``: reading and cancelling go on.

    Without ``code`` the venue's own for it: 40725, and -1016 at Binance.
    """

    mode: Literal["down", "cancel_only"] = "down"
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    code: Name = ""


class MuteStream(Kind):
    """From this push on the connection carries no push at all; pings and requests are still answered."""


class DropPush(Kind):
    """The push is never sent."""


class ReorderPush(Kind):
    """The push is held until ``by`` later ones of the same match have gone out, at most ``hold_ms``."""

    by: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    hold_ms: Ms = 1000


class DuplicatePush(Kind):
    """The push is sent ``copies`` times more."""

    copies: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


#: ``do`` -> arguments, for faults of requests …
PATH_KINDS: dict[str, type[Kind]] = {
    "delay": Delay,
    "drop_request": DropRequest,
    "answer_lost": AnswerLost,
    "duplicate_answer": DuplicateAnswer,
    "status": Status,
    "malformed_json": MalformedJson,
    "truncated_json": TruncatedJson,
    "unknown_enum": UnknownEnum,
    "null_price": NullPrice,
    "not_found": NotFound,
    "reset": Reset,
    "black_hole": BlackHole,
    "slow_slices": SlowSlices,
    "close_idle": CloseIdle,
    "stale_snapshot": StaleSnapshot,
    "skewed_clock": SkewedClock,
    "maintenance": Maintenance,
}
#: … and of pushes.
CHANNEL_KINDS: dict[str, type[Kind]] = {
    "mute_stream": MuteStream,
    "drop_push": DropPush,
    "reorder_push": ReorderPush,
    "duplicate_push": DuplicatePush,
    "delay": Delay,
    "malformed_json": MalformedJson,
    "truncated_json": TruncatedJson,
    "unknown_enum": UnknownEnum,
    "null_price": NullPrice,
    "reset": Reset,
    "black_hole": BlackHole,
}
NAMES = tuple(dict.fromkeys([*PATH_KINDS, *CHANNEL_KINDS]))

#: Kinds that also act on the handshake of a websocket.
HANDSHAKE = (Delay, DropRequest, Status, Reset, BlackHole, Maintenance)


def read_args(do: str, args: dict[str, Any], *, channel: bool) -> Kind:
    """The arguments of a kind; ``UsageError`` says what is wrong in one line."""
    kinds = CHANNEL_KINDS if channel else PATH_KINDS
    kind = kinds.get(do)
    if kind is None:
        if do in NAMES:
            raise UsageError(f"do: {do} acts on {'a path' if channel else 'a channel'}: match that")
        raise UsageError(f"do: there is no {do[:40]!r}: {', '.join(NAMES)}")
    try:
        return msgspec.convert(args, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"args of {do}: {error}") from None
