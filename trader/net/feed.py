"""What a stream and a venue's dialect say to each other. No socket is imported here."""

from __future__ import annotations

from enum import Enum, auto

import msgspec


class Heard(Enum):
    """What a control message was. Data is told by its channel's name instead."""

    LOGGED_IN = auto()
    LOGIN_REFUSED = auto()
    ACKNOWLEDGED = auto()
    """One subscription was accepted."""
    REFUSED = auto()
    """One subscription was refused; the others go on."""
    ENDED = auto()
    """What the connection was allowed by has run out: it is made anew."""
    OTHER = auto()


class Subscription(msgspec.Struct, frozen=True):
    """One frame that subscribes to ``acks`` channels; each is answered by an acceptance or a refusal."""

    message: bytes
    acks: int = 1


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """How lively a channel must be, in seconds; 0 = it may be silent.

    ``first_s``: after the subscriptions were accepted its first message comes within this time.
    ``silence_s``: afterwards it is never silent for longer.
    """

    first_s: float = 0.0
    silence_s: float = 0.0
