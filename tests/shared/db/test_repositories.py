"""Users, accounts, preferences, audit: every change checked, and told in the audit."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import vault
from shared.db import accounts, audit, preferences, users
from shared.db.tables import Account
from shared.errors import NotFoundError, UsageError, VaultError
from shared.vault import Credentials, TraderKeys

ME = "test:me"
KEYS = Credentials(key="bg_0123456789abcdef", secret="a-secret-nobody-may-see", passphrase="a-passphrase")


@pytest.fixture
def keyed(home: Path) -> Path:
    vault.ensure_keys(home)
    return home


def add_account(session: Session, home: Path, user: str = "ada", label: str = "main") -> accounts.AccountRow:
    return accounts.add(
        session,
        user,
        venue="bitget",
        kind="classic",
        mode="paper",
        label=label,
        credentials=KEYS,
        public_key=vault.public_key(home),
        actor=ME,
    )


def test_users_are_added_listed_and_changed(session: Session) -> None:
    ada = users.add(session, "ada", role="admin", actor=ME)
    users.add(session, "민준", actor=ME)
    assert (ada.role, ada.state) == ("admin", "active")
    assert [user.name for user in users.list_all(session)] == ["ada", "민준"]
    assert users.set_state(session, "ada", "banned", actor=ME).state == "banned"
    assert users.get(session, "ada").state == "banned"
    told = [(row.verb, row.subject, row.before, row.after, row.actor) for row in audit.list_all(session)]
    assert told[0] == ("state", f"user:{ada.id}", {"state": "active"}, {"state": "banned"}, ME)
    assert [row[0] for row in told] == ["state", "add", "add"]
    users.set_state(session, "ada", "banned", actor=ME)
    assert len(audit.list_all(session)) == 3  # nothing changed, nothing told


def test_what_is_wrong_with_a_user_is_said(session: Session) -> None:
    users.add(session, "ada", actor=ME)
    with pytest.raises(UsageError, match="there is a user 'ada' already"):
        users.add(session, "ada", actor=ME)
    for name in ("", " ada", "a b", "x" * 65, "a/b", "-ada", "a\n"):
        with pytest.raises(UsageError, match="is no user name"):
            users.add(session, name, actor=ME)
    with pytest.raises(UsageError, match="there is no role 'god': admin, user"):
        users.add(session, "eve", "god", actor=ME)
    with pytest.raises(UsageError, match="no user state 'gone': active, pending, banned"):
        users.set_state(session, "ada", "gone", actor=ME)
    with pytest.raises(NotFoundError, match="no user 'eve'"):
        users.get(session, "eve")
    assert [user.name for user in users.list_all(session)] == ["ada"]  # the session survived it all


def test_credentials_go_in_sealed_and_are_shown_nowhere(session: Session, keyed: Path) -> None:
    users.add(session, "ada", actor=ME)
    row = add_account(session, keyed)
    assert (row.user_name, row.state, row.key_tail) == ("ada", "armed", "cdef")
    blob = session.scalars(select(Account.sealed_credentials)).one()
    assert TraderKeys.open(keyed).unseal(blob) == KEYS
    shown = repr(accounts.list_all(session)) + repr(audit.list_all(session)) + repr(blob)
    for secret in (KEYS.key, KEYS.secret, KEYS.passphrase):
        assert secret not in shown


def test_accounts_are_listed_by_user_and_change_state(session: Session, keyed: Path) -> None:
    for name in ("ada", "ben"):
        users.add(session, name, actor=ME)
        add_account(session, keyed, name)
    second = add_account(session, keyed, "ben", "second")
    assert [(row.user_name, row.label) for row in accounts.list_all(session)] == [
        ("ada", "main"),
        ("ben", "main"),
        ("ben", "second"),
    ]
    assert [row.label for row in accounts.list_all(session, "ben")] == ["main", "second"]
    changed = accounts.set_state(session, second.id, "paused", "on holiday", actor=ME)
    assert (changed.state, changed.state_reason) == ("paused", "on holiday")
    told = audit.list_all(session, subject=f"account:{second.id}")
    assert (told[0].verb, told[0].after) == ("state", {"state": "paused", "reason": "on holiday"})


def test_what_is_wrong_with_an_account_is_said(session: Session, keyed: Path) -> None:
    users.add(session, "ada", actor=ME)
    add_account(session, keyed)
    with pytest.raises(UsageError, match="give another --label"):
        add_account(session, keyed)
    with pytest.raises(NotFoundError, match="no user 'eve'"):
        add_account(session, keyed, "eve")
    with pytest.raises(UsageError, match="is no label"):
        add_account(session, keyed, label="")
    for field, value in (("venue", "mtgox"), ("kind", "x"), ("mode", "demo")):
        good = {"venue": "bitget", "kind": "classic", "mode": "paper", field: value}
        with pytest.raises(UsageError, match=f"'{value}' is wrong"):
            accounts.add(
                session,
                "ada",
                **good,
                label="b",
                credentials=KEYS,
                public_key=vault.public_key(keyed),
                actor=ME,
            )
    with pytest.raises(NotFoundError, match="no account 77"):
        accounts.set_state(session, 77, "paused", actor=ME)
    with pytest.raises(UsageError, match="no account state 'off'"):
        accounts.set_state(session, 1, "off", actor=ME)
    with pytest.raises(NotFoundError, match="no user 'eve'"):
        accounts.list_all(session, "eve")


def test_keys_are_replaced(session: Session, keyed: Path) -> None:
    users.add(session, "ada", actor=ME)
    row = add_account(session, keyed)
    fresh = Credentials(key="bg_ffffffffffff9999", secret="another", passphrase="p")
    changed = accounts.set_credentials(session, row.id, fresh, vault.public_key(keyed), actor=ME)
    assert changed.key_tail == "9999"
    session.flush()
    assert TraderKeys.open(keyed).unseal(accounts.sealed(session)[0]) == fresh
    assert audit.list_all(session)[0].after == {"key_tail": "9999"}


def test_resealing_moves_every_account_to_the_new_key(session: Session, keyed: Path) -> None:
    users.add(session, "ada", actor=ME)
    for label in ("a", "b", "c"):
        add_account(session, keyed, label=label)
    vault.rotate_trader(keyed)
    add_account(session, keyed, label="d")
    with pytest.raises(VaultError, match="re-seal all accounts first"):
        vault.retire_trader(keyed, accounts.sealed(session))
    assert accounts.reseal(session, TraderKeys.open(keyed), actor=ME) == 3
    assert accounts.reseal(session, TraderKeys.open(keyed), actor=ME) == 0
    vault.retire_trader(keyed, accounts.sealed(session))
    keys = TraderKeys.open(keyed)
    assert [keys.unseal(blob) for blob in accounts.sealed(session)] == [KEYS] * 4


def test_the_narrower_choice_wins_and_caps_hold(session: Session, keyed: Path) -> None:
    users.add(session, "ada", actor=ME)
    row = add_account(session, keyed)

    def put(scope: str, name: str, value: str) -> None:
        who = "ada" if scope == "user" else None
        preferences.set_value(
            session, scope, who, row.id if scope == "account" else None, name, value, actor=ME
        )

    assert preferences.effective(session, row.id).amount == Decimal(50)
    put("installation", "listing.amount", "40")
    assert preferences.effective(session, row.id).amount == Decimal(40)
    put("user", "listing.amount", "30")
    put("account", "listing.amount", " 90 ")
    assert preferences.effective(session, row.id).amount == Decimal(90)
    put("installation", "cap.listing.amount", "70")
    assert preferences.effective(session, row.id).amount == Decimal(70)
    assert preferences.unset(session, "account", None, row.id, "listing.amount", actor=ME)
    assert not preferences.unset(session, "account", None, row.id, "listing.amount", actor=ME)
    assert preferences.effective(session, row.id).amount == Decimal(30)
    put("user", "listing.amount", "31")
    put("user", "listing.amount", "31")
    changes = [(told.verb, told.before, told.after) for told in audit.list_all(session)][:2]
    assert changes == [
        ("set", {"value": "30"}, {"value": "31"}),
        ("unset", {"value": "90"}, None),
    ]


def test_what_was_set_is_listed(session: Session, keyed: Path) -> None:
    for name in ("ada", "ben"):
        users.add(session, name, actor=ME)
        add_account(session, keyed, name)
    preferences.set_value(session, "installation", None, None, "listing.leverage", "7", actor=ME)
    preferences.set_value(session, "user", "ben", None, "listing.leverage", "8", actor=ME)
    preferences.set_value(session, "account", "ben", 2, "listing.leverage", "9", actor=ME)
    rows = preferences.list_all(session)
    assert [(row.scope, row.user_name, row.account_id, row.value) for row in rows] == [
        ("user", "ben", None, "8"),
        ("installation", None, None, "7"),
        ("account", "ben", 2, "9"),
    ]
    assert [row.value for row in preferences.list_all(session, "ben")] == ["8", "9"]
    assert [row.value for row in preferences.list_all(session, None, 2)] == ["9"]
    assert preferences.list_all(session, "ada") == []


def test_what_is_wrong_with_a_choice_is_said(session: Session, keyed: Path) -> None:
    users.add(session, "ada", actor=ME)
    users.add(session, "ben", actor=ME)
    row = add_account(session, keyed, "ada")

    def put(scope: str, user: str | None, account: int | None, name: str, value: str) -> None:
        preferences.set_value(session, scope, user, account, name, value, actor=ME)

    with pytest.raises(UsageError, match=r"there is no setting 'listing\.amont'"):
        put("user", "ada", None, "listing.amont", "1")
    with pytest.raises(UsageError, match="is outside 1 to"):
        put("user", "ada", None, "listing.amount", "0")
    with pytest.raises(UsageError, match="a limit for everybody"):
        put("user", "ada", None, "cap.listing.amount", "5")
    with pytest.raises(NotFoundError, match="ben has no account"):
        put("account", "ben", row.id, "listing.amount", "5")
    with pytest.raises(UsageError, match="needs the user's name"):
        put("user", None, None, "listing.amount", "5")
    with pytest.raises(UsageError, match="needs the account's number"):
        put("account", None, None, "listing.amount", "5")
    with pytest.raises(UsageError, match="no scope 'galaxy'"):
        put("galaxy", None, None, "listing.amount", "5")
    assert preferences.list_all(session) == []


def test_the_audit_hides_what_looks_like_a_secret(session: Session) -> None:
    audit.write(session, ME, "try", "x", after={"passphrase": "hunter2", "text": "secret=hunter2", "n": 1})
    assert audit.list_all(session)[0].after == {"passphrase": "[hidden]", "text": "secret=[hidden]", "n": 1}
