"""``orders``, ``positions``, ``notices``, ``listings parse``: what is, for people and for scripts."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, newest first.")]
User = Annotated[str | None, typer.Option("--user", help="Only this user's.")]

listings = typer.Typer(help="Listing notices.", no_args_is_help=True)


def orders(as_json: Json = False, limit: Limit = 50, user: User = None) -> None:
    """Show the newest orders and where they stand."""
    from kestrel import reading

    reading.orders(as_json=as_json, limit=limit, user=user)


def positions(
    as_json: Json = False,
    limit: Limit = 50,
    user: User = None,
    closed: Annotated[bool, typer.Option("--closed", help="Closed ones too.")] = False,
) -> None:
    """Show the open positions."""
    from kestrel import reading

    reading.positions(as_json=as_json, limit=limit, user=user, closed=closed)


def notices(as_json: Json = False, limit: Limit = 50) -> None:
    """Show the newest notices and what was decided on them."""
    from kestrel import reading

    reading.notices(as_json=as_json, limit=limit)


@listings.command("parse")
def listings_parse() -> None:
    """Read notice titles on stdin; print what each says as one JSON object a line."""
    from kestrel import reading

    reading.parse_titles()


def register(app: typer.Typer) -> None:
    app.command("orders")(orders)
    app.command("positions")(positions)
    app.command("notices")(notices)
    app.add_typer(listings, name="listings")
