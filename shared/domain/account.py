"""Whose money: an account is user x venue x kind x mode x label."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from shared.domain.instrument import Venue


class Mode(StrEnum):
    PAPER = "paper"
    LIVE = "live"


class AccountKind(StrEnum):
    """Which dialect the key speaks. Bitget has two, told apart by probing the key."""

    CLASSIC = "classic"
    UNIFIED = "unified"
    USDM = "usdm"


class AccountState(StrEnum):
    ARMED = "armed"
    PAUSED = "paused"
    DISABLED = "disabled"


class UserState(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"
    BANNED = "banned"


class Role(StrEnum):
    ADMIN = "admin"
    USER = "user"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account. The sealed credentials are opaque here: only the trader can open them."""

    id: int
    user_id: int
    user_name: str
    venue: Venue
    kind: AccountKind
    mode: Mode
    label: str
    state: AccountState
    sealed_credentials: bytes = b""
