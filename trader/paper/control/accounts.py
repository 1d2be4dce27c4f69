"""New accounts with their credentials, as each venue hands them out."""

from __future__ import annotations

import secrets
import string
from decimal import Decimal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shared.errors import UsageError
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind, AccountRecord

MOST_ACCOUNTS = 10_000
_LONGEST_LABEL = 200
_ALPHABET = string.ascii_letters + string.digits


def make_account(
    engine: Engine,
    *,
    kind: AccountKind,
    balance: Decimal,
    label: str,
    spot: dict[str, Decimal] | None = None,
    public_key: str = "",
) -> Account:
    """A new account with random credentials. Labels need not be unique. Raises ``UsageError``."""
    if len(engine.accounts) >= MOST_ACCOUNTS:
        raise UsageError(f"the exchange holds {MOST_ACCOUNTS} accounts, more are not taken")
    if len(label) > _LONGEST_LABEL:
        raise UsageError(f"label: at most {_LONGEST_LABEL} characters")
    binance = kind is AccountKind.BINANCE
    if public_key:
        if not binance:
            raise UsageError("public_key: only binance accounts have one")
        _check_public(public_key)
    if binance and spot:
        raise UsageError("spot: a binance account trades contracts only")
    record = AccountRecord(
        id=0,
        key=_letters(64) if binance else "bg_" + secrets.token_hex(16),
        secret=_letters(64) if binance else secrets.token_hex(32),
        passphrase="" if binance else _letters(16),
        kind=kind,
        label=label,
        created_ns=0,
        second_key=_letters(64) if public_key else "",
        public_key=public_key,
    )
    return engine.open_account(record, balance, spot)


def credentials(account: Account) -> dict[str, object]:
    """What the owner needs to sign. ``ed25519_key`` goes with the private key that only the owner has."""
    record = account.record
    shown: dict[str, object] = {
        "id": record.id,
        "key": record.key,
        "secret": record.secret,
        "passphrase": record.passphrase,
    }
    return shown | {"ed25519_key": record.second_key} if record.second_key else shown


def _letters(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _check_public(pem: str) -> None:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError("public_key: PEM of an Ed25519 public key (BEGIN PUBLIC KEY)")
