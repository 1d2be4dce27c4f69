"""Every exception that Kestrel raises on purpose.

::

    KestrelError                     one clear line: what is wrong and what to do next
    ├── UsageError                   the caller's input is wrong (exit code 2)
    │   ├── SettingsError            a setting has a wrong value or an unknown name
    │   └── NotFoundError            no such user, account, symbol, file
    ├── StartError                   a process cannot start (exit code 3)
    │   ├── PortBusyError            somebody listens there already
    │   ├── AlreadyRunningError      this home is in use by another process
    │   └── TapeError                the market tape is missing or damaged
    ├── DatabaseError                Postgres is away or refuses (exit code 4)
    │   └── SchemaError              the schema is older or newer than this program
    ├── VaultError                   a key ring is missing, damaged, or of another installation
    ├── VenueError                   something between us and an exchange
    │   ├── NotSentError             nothing left this machine: a definite *no*
    │   ├── OutcomeUnknownError      it may have been executed: *unknown*, never *no*
    │   ├── VenueRefusedError        the venue said no; carries code and text
    │   └── ProtocolError            an answer that cannot be what the venue documents
    ├── SourceError                  something between us and a source of facts (exit code 9)
    │   ├── SourceAwayError          away, busy or cut short: asking again can help
    │   ├── SourceRefusedError       it will not serve us: asking again cannot help
    │   └── SourceDataError          what came is not what the source documents
    ├── RefusedError                 our own gate refused an order before it was sent
    └── JournalError                 the journal cannot be written or read

Errors are for people: the message is one line, says what is wrong and what to do, and never
holds a secret. Code that catches one of them catches the narrowest class it can answer.
"""

from __future__ import annotations

from typing import ClassVar


class KestrelError(Exception):
    """Root of the tree. ``exit_code`` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class UsageError(KestrelError):
    exit_code = 2


class SettingsError(UsageError):
    pass


class NotFoundError(UsageError):
    pass


class StartError(KestrelError):
    exit_code = 3


class PortBusyError(StartError):
    pass


class AlreadyRunningError(StartError):
    pass


class TapeError(StartError):
    pass


class DatabaseError(KestrelError):
    exit_code = 4


class SchemaError(DatabaseError):
    pass


class VaultError(KestrelError):
    exit_code = 5


class VenueError(KestrelError):
    exit_code = 6


class NotSentError(VenueError):
    """No byte of the request reached the kernel: the venue cannot have executed it."""


class OutcomeUnknownError(VenueError):
    """The request may have reached the venue and no usable answer came back."""


class VenueRefusedError(VenueError):
    """The venue answered with a business error.

    ``code`` and ``text`` are the venue's own; ``status`` is the HTTP status.
    """

    def __init__(self, code: str, text: str, status: int = 0) -> None:
        super().__init__(f"the exchange refused: {text} (code {code})")
        self.code = code
        self.text = text
        self.status = status


class ProtocolError(VenueError):
    pass


class SourceError(KestrelError):
    exit_code = 9


class SourceAwayError(SourceError):
    """No usable answer this time: network, timeout, 429, 5xx, a body cut short.

    ``retry_after_s`` is what the source asked us to wait, 0 when it did not say.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceRefusedError(SourceError):
    pass


class SourceDataError(SourceError):
    pass


class RefusedError(KestrelError):
    """Our own gate said no before anything was sent. ``rule`` names the rule."""

    exit_code = 7

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class JournalError(KestrelError):
    exit_code = 8
