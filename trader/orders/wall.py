"""The wall between paper and live: which account may talk to which host (truth 11)."""

from __future__ import annotations

from ipaddress import ip_address

from shared.domain.account import Mode
from shared.errors import RefusedError


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its own writing; a name that merely resolves there is not."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check(mode: Mode, host: str, *, live_enabled: bool) -> None:
    """Raise :class:`RefusedError` unless an account of this mode may send to this host."""
    if mode is Mode.PAPER:
        if not is_loopback(host):
            raise RefusedError("wall", f"a paper account may only trade on this machine, not on {host}")
        return
    if is_loopback(host):
        raise RefusedError("wall", f"a live account may not trade on {host}: that is the paper exchange")
    if not live_enabled:
        raise RefusedError(
            "wall", "live trading is off for this installation: set KESTREL_LIVE=1 to allow it"
        )
