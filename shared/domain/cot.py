"""Commitments of Traders: who holds which side of a futures market, as the CFTC publishes it weekly.

Positions are counted in contracts, futures only. Contracts of one underlying differ in size, so markets
are summed in *units* (coins, currency, index): see :class:`Market`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec


class Report(StrEnum):
    """Two ways to sort the same traders; futures only, never combined with options."""

    LEGACY = "legacy"
    TFF = "tff"


class Group(StrEnum):
    """A kind of trader. ``NONREPORTABLE`` is what is left when all who must report are subtracted."""

    NONCOMMERCIAL = "noncommercial"
    COMMERCIAL = "commercial"
    DEALER = "dealer"
    ASSET_MANAGER = "asset_manager"
    LEVERAGED = "leveraged"
    OTHER = "other"
    NONREPORTABLE = "nonreportable"


GROUPS: dict[Report, tuple[Group, ...]] = {
    Report.LEGACY: (Group.NONCOMMERCIAL, Group.COMMERCIAL, Group.NONREPORTABLE),
    Report.TFF: (Group.DEALER, Group.ASSET_MANAGER, Group.LEVERAGED, Group.OTHER, Group.NONREPORTABLE),
}

#: Groups whose members' own long and short are taken out of both sides and shown as a spread.
SPREADING: dict[Report, tuple[Group, ...]] = {
    Report.LEGACY: (Group.NONCOMMERCIAL,),
    Report.TFF: (Group.DEALER, Group.ASSET_MANAGER, Group.LEVERAGED, Group.OTHER),
}

REPORT_TITLES: dict[Report, str] = {
    Report.LEGACY: "Legacy report",
    Report.TFF: "Traders in Financial Futures",
}

GROUP_TITLES: dict[Group, str] = {
    Group.NONCOMMERCIAL: "Large speculators",
    Group.COMMERCIAL: "Commercials",
    Group.DEALER: "Dealers",
    Group.ASSET_MANAGER: "Asset managers",
    Group.LEVERAGED: "Leveraged funds",
    Group.OTHER: "Other reportables",
    Group.NONREPORTABLE: "Small traders",
}


def long_column(group: Group) -> str:
    return f"{group.value}_long"


def short_column(group: Group) -> str:
    return f"{group.value}_short"


def spread_column(group: Group) -> str:
    return f"{group.value}_spread"


def _columns(report: Report) -> tuple[str, ...]:
    names = ["open_interest"]
    for group in GROUPS[report]:
        names += [long_column(group), short_column(group)]
        if group in SPREADING[report]:
            names.append(spread_column(group))
    return tuple(names)


_COLUMNS = {report: _columns(report) for report in Report}
_PLACES = {report: {name: place for place, name in enumerate(names)} for report, names in _COLUMNS.items()}


def columns(report: Report) -> tuple[str, ...]:
    """The position columns of a report: ``open_interest``, then long, short and, where there is one, spread."""
    return _COLUMNS[report]


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """One row: what the CFTC published about one market for one as-of date.

    ``code`` is the CFTC contract market code, the only key: ``market``, the name as printed with its
    spaces collapsed, changes under a code. ``as_of`` is a Tuesday, or the Monday before a holiday.
    ``values`` are contracts in the order of :func:`columns`.
    """

    report: Report
    code: str
    as_of: date
    market: str
    values: tuple[int, ...]

    def value(self, column: str) -> int:
        """Contracts in one of :func:`columns`; another name raises ``KeyError``."""
        return self.values[_PLACES[self.report][column]]


def identity_error(row: Positions) -> str | None:
    """What is impossible about a row, or None.

    Every open contract has a long and a short: open interest = all longs + spreads = all shorts + spreads.
    Holds on every published row that was checked; a row that breaks it is damaged. Consolidated markets
    (``13874+``) are summed by the CFTC over contracts of several sizes and rounded column by column: there
    a side may be off by half a contract for each of its columns (855 of 1,068 rows are, by up to 4).
    """
    expected = len(columns(row.report))
    if len(row.values) != expected:
        return f"{len(row.values)} numbers instead of {expected}"
    for name, value in zip(columns(row.report), row.values, strict=True):
        if value < 0:
            return f"{name} is negative: {value}"
    open_interest = row.value("open_interest")
    rounded = len(GROUPS[row.report]) + len(SPREADING[row.report]) + 1
    slack = rounded // 2 if row.code.endswith("+") else 0
    spread = sum(row.value(spread_column(group)) for group in SPREADING[row.report])
    for side, column in (("long", long_column), ("short", short_column)):
        total = spread + sum(row.value(column(group)) for group in GROUPS[row.report])
        if abs(total - open_interest) > slack:
            return f"open interest {open_interest} is not the {side} side {total}"
    return None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One contract of a market. ``units`` per contract: coins, currency or index points x dollars."""

    code: str
    units: Decimal
    name: str


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """An underlying and the contracts that are summed into it: the standard one first, then its micro.

    ``unit`` is what a sum counts (``BTC``, ``EUR``). ``pair`` is how the spot market quotes it, with
    ``inverted`` when a long future is *short* that pair. ``directional`` is the TFF group whose net
    position tells of direction; ``carry`` the one whose short is mostly a hedge of coins or ETFs held.
    """

    key: str
    name: str
    section: str
    unit: str
    members: tuple[Member, ...]
    pair: str
    inverted: bool = False
    directional: Group
    carry: Group | None = None


def _crypto(key: str, name: str, unit: str, standard: Member, micro: Member) -> Market:
    # Asset managers hold the long side for their clients; leveraged funds are short against spot and ETFs
    # (cash and carry), so their net says what the basis pays, not where they think that the price goes.
    return Market(
        key=key,
        name=name,
        section="crypto",
        unit=unit,
        members=(standard, micro),
        pair=f"{unit}/USD",
        directional=Group.ASSET_MANAGER,
        carry=Group.LEVERAGED,
    )


def _forex(key: str, name: str, unit: str, member: Member, pair: str, *, inverted: bool = False) -> Market:
    return Market(
        key=key,
        name=name,
        section="forex",
        unit=unit,
        members=(member,),
        pair=pair,
        inverted=inverted,
        directional=Group.LEVERAGED,
    )


def _member(code: str, units: str, name: str) -> Member:
    return Member(code=code, units=Decimal(units), name=name)


# Contract sizes: the unit text of the CFTC's own files ("(5 Bitcoins)", "(Bitcoin X $0.10)", "(50 Index
# Points)", "(CONTRACTS OF JPY 12,500,000)", "(U.S. DOLLAR INDEX X $1000)", "(Contracts of 50,000 XRP)") and
# the CME's contract specifications for SOL, Micro SOL and Micro XRP. That text is not made for machines,
# so the table is ours. CME futures on currencies are in dollars per foreign unit (EUR crosses excepted).
MARKETS: tuple[Market, ...] = (
    _crypto("bitcoin", "Bitcoin", "BTC",
            _member("133741", "5", "Bitcoin"), _member("133742", "0.1", "Micro Bitcoin")),
    _crypto("ether", "Ether", "ETH",
            _member("146021", "50", "Ether"), _member("146022", "0.1", "Micro Ether")),
    _crypto("xrp", "XRP", "XRP",
            _member("176740", "50000", "XRP"), _member("176741", "2500", "Micro XRP")),
    _crypto("solana", "Solana", "SOL",
            _member("177741", "500", "Solana"), _member("177742", "25", "Micro Solana")),
    _forex("eur", "Euro", "EUR", _member("099741", "125000", "Euro FX"), "EUR/USD"),
    _forex("jpy", "Japanese yen", "JPY", _member("097741", "12500000", "Japanese yen"), "USD/JPY", inverted=True),
    _forex("gbp", "British pound", "GBP", _member("096742", "62500", "British pound"), "GBP/USD"),
    _forex("chf", "Swiss franc", "CHF", _member("092741", "125000", "Swiss franc"), "USD/CHF", inverted=True),
    _forex("cad", "Canadian dollar", "CAD", _member("090741", "100000", "Canadian dollar"), "USD/CAD", inverted=True),
    _forex("aud", "Australian dollar", "AUD", _member("232741", "100000", "Australian dollar"), "AUD/USD"),
    _forex("nzd", "New Zealand dollar", "NZD", _member("112741", "100000", "New Zealand dollar"), "NZD/USD"),
    _forex("mxn", "Mexican peso", "MXN", _member("095741", "500000", "Mexican peso"), "USD/MXN", inverted=True),
    _forex("brl", "Brazilian real", "BRL", _member("102741", "100000", "Brazilian real"), "USD/BRL", inverted=True),
    _forex("zar", "South African rand", "ZAR", _member("122741", "500000", "South African rand"), "USD/ZAR", inverted=True),
    _forex("usd-index", "US dollar index", "index", _member("098662", "1000", "US dollar index"), "DXY"),
    _forex("eur-gbp", "Euro / British pound", "EUR", _member("299741", "125000", "Euro / British pound"), "EUR/GBP"),
    _forex("eur-jpy", "Euro / Japanese yen", "EUR", _member("399741", "125000", "Euro / Japanese yen"), "EUR/JPY"),
)  # fmt: skip

#: Contracts of other exchanges on the same coins: stored, but traded by other people and never summed into
#: the CME's. Nano contracts of LMX Labs, now Coinbase Derivatives; Cboe's Bitcoin future ended in 2019.
OTHER_CONTRACTS: tuple[Member, ...] = (
    _member("133LM1", "0.01", "Nano Bitcoin"),
    _member("146LM1", "0.1", "Nano Ether"),
    _member("176LM1", "500", "Nano XRP"),
    _member("1330E1", "1", "Bitcoin (Cboe)"),
)

_MARKET_OF = {member.code: market for market in MARKETS for member in market.members}

#: Every contract that is asked for and stored.
CODES: frozenset[str] = frozenset(_MARKET_OF) | {member.code for member in OTHER_CONTRACTS}


def market_of(code: str) -> Market | None:
    """The market that a contract is summed into; None for one that is only stored, or unknown."""
    return _MARKET_OF.get(code)


def long_means(market: Market) -> str:
    """Which way a long future points, for people: ``a long future is short USD/JPY``."""
    return f"a long future is {'short' if market.inverted else 'long'} {market.pair}"
