"""``users``, ``accounts``, ``settings``: who trades, with which keys, by which rules."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
User = Annotated[str, typer.Option("--user", help="Name of the user.")]


class RoleName(StrEnum):
    ADMIN = "admin"
    USER = "user"


class UserStateName(StrEnum):
    ACTIVE = "active"
    PENDING = "pending"
    BANNED = "banned"


class AccountStateName(StrEnum):
    ARMED = "armed"
    PAUSED = "paused"
    DISABLED = "disabled"


class KindName(StrEnum):
    CLASSIC = "classic"
    UNIFIED = "unified"
    USDM = "usdm"


class VenueName(StrEnum):
    BITGET = "bitget"
    BINANCE = "binance"


users = typer.Typer(help="People whose accounts trade: add, list, set.", no_args_is_help=True)
accounts = typer.Typer(help="Their accounts at exchanges: add, list, set.", no_args_is_help=True)
settings = typer.Typer(help="Their trading choices: set, list.", no_args_is_help=True)


@users.command("add")
def users_add(
    name: Annotated[str, typer.Argument(help="A name of your choice.")],
    role: Annotated[RoleName, typer.Option("--role", help="What the user may do.")] = RoleName.USER,
) -> None:
    """Add a user."""
    from kestrel import people

    people.add_user(name, role.value)


@users.command("list")
def users_list(as_json: Json = False) -> None:
    """List the users."""
    from kestrel import people

    people.list_users(as_json=as_json)


@users.command("set")
def users_set(
    name: Annotated[str, typer.Argument(help="Name of the user.")],
    state: Annotated[UserStateName, typer.Option("--state", help="Only active users trade.")],
) -> None:
    """Change a user's state."""
    from kestrel import people

    people.set_user(name, state.value)


@accounts.command("add")
def accounts_add(
    *,
    user: User,
    paper: Annotated[
        bool, typer.Option("--paper", help="A paper account, made on the paper exchange that runs.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="An account with real money.")] = False,
    balance: Annotated[
        str | None, typer.Option("--balance", help="USDT on a new paper account (default 10000).")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file",
            help="File with key, secret and (Bitget) passphrase (JSON, or NAME=VALUE lines); - reads stdin."
            " Without it they are asked for.",
        ),
    ] = None,
    venue: Annotated[VenueName, typer.Option("--venue", help="The exchange.")] = VenueName.BITGET,
    kind: Annotated[
        KindName | None,
        typer.Option(
            "--kind",
            help="Kind of the account. Without it a key is what the exchange says; a new paper account is"
            " classic, at Binance usdm.",
        ),
    ] = None,
    label: Annotated[str, typer.Option("--label", help="To tell two accounts apart.")] = "main",
) -> None:
    """Add an account: `--paper` makes one on the running paper exchange, `--live` takes your key."""
    from kestrel import people

    people.add_account(
        people.NewAccount(
            user=user,
            venue=venue.value,
            kind=people.kind_of(venue.value, None if kind is None else kind.value),
            mode=people.mode(paper=paper, live=live),
            label=label,
            balance=balance,
            secret_file=secret_file,
        )
    )


@accounts.command("list")
def accounts_list(
    user: Annotated[str | None, typer.Option("--user", help="Only this user's.")] = None,
    as_json: Json = False,
) -> None:
    """List the accounts. Keys are never shown, only their last four characters."""
    from kestrel import people

    people.list_accounts(user, as_json=as_json)


@accounts.command("set")
def accounts_set(
    account: Annotated[int, typer.Argument(help="Number of the account, as `accounts list` shows it.")],
    *,
    state: Annotated[
        AccountStateName | None, typer.Option("--state", help="Only armed accounts open positions.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept with the change.")] = "",
    kind: Annotated[
        KindName | None,
        typer.Option("--kind", help="After the exchange made another kind of account of it."),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="New API keys: asked for without echo, or from --secret-file.")
    ] = False,
    secret_file: Annotated[
        Path | None, typer.Option("--secret-file", help="File with the new keys; - reads stdin.")
    ] = None,
) -> None:
    """Arm, pause or disable an account, give it new API keys, or correct its kind."""
    from kestrel import people

    people.set_account(
        account,
        state=None if state is None else state.value,
        reason=reason,
        kind=None if kind is None else kind.value,
        keys=keys or secret_file is not None,
        secret_file=secret_file,
    )


@settings.command("set")
def settings_set(
    name: Annotated[str, typer.Argument(help="Name of the setting, for example listing.amount.")],
    value: Annotated[str, typer.Argument(help="Its new value.")],
    user: Annotated[str | None, typer.Option("--user", help="For one user. Default: for everybody.")] = None,
    account: Annotated[int | None, typer.Option("--account", help="For one account.")] = None,
) -> None:
    """Set a trading choice for everybody, one user or one account; the narrower one wins."""
    from kestrel import people

    people.set_preference(name, value, user=user, account=account)


@settings.command("list")
def settings_list(
    user: Annotated[str | None, typer.Option("--user", help="Only this user's and wider.")] = None,
    account: Annotated[
        int | None, typer.Option("--account", help="What is in force for one account, and from where.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the trading choices that were set; with --account all that are in force there."""
    from kestrel import people

    people.list_preferences(user=user, account=account, as_json=as_json)


def register(app: typer.Typer) -> None:
    app.add_typer(users, name="users")
    app.add_typer(accounts, name="accounts")
    app.add_typer(settings, name="settings")
