"""What the COT page says in words, for somebody who trades and never saw the report."""

from __future__ import annotations

from shared.domain.cot import Group, Market, Report

REPORT_NAMES: dict[Report, str] = {Report.TFF: "TFF", Report.LEGACY: "Legacy"}
SECTIONS: dict[str, str] = {"crypto": "Crypto", "forex": "Forex"}

INTRODUCTION = (
    "Once a week the CFTC publishes who held the futures on Tuesday evening, long and short, by kind of trader. "
    "It tells how crowded a side is: a slow regime filter, not a trigger."
)
INDEX = (
    "Where the group’s net position stands in its own range of the last weeks: 100 is its most long, 0 its most short. "
    "From 80 and below 20 a side is crowded. It takes the net position as a percentage of open interest, and a window "
    "with a missing week gives none."
)
SCORE = (
    "How unusual this week is: its distance from the mean of the 52 weeks before it, in their standard deviations. "
    "The week itself is not part of its own yardstick."
)
INTEREST = "All contracts that are open, longs and shorts being equal."
SOURCE = (
    "Source: U.S. Commodity Futures Trading Commission (CFTC), Commitments of Traders, futures only. "
    "Public data; the sums, shares and indices are our own."
)
_MEANINGS: dict[Group, str] = {
    Group.ASSET_MANAGER: "Pension funds, insurers, mutual funds and ETFs: other people’s money, moved slowly.",
    Group.LEVERAGED: "Hedge funds and trading firms, with borrowed money.",
    Group.DEALER: "Banks and swap desks: they take the other side of their clients and hedge, so they follow no view.",
    Group.OTHER: "Large traders that fit no other group, such as treasuries of companies.",
    Group.NONREPORTABLE: "Everybody below the size that must report; what is left over.",
    Group.NONCOMMERCIAL: "Large traders without a business of their own to hedge: funds of every kind.",
    Group.COMMERCIAL: "Firms that hedge a business of their own; they sell into strength and buy weakness.",
}
_CRYPTO: dict[Group, str] = {
    Group.ASSET_MANAGER: "Here they are the best gauge of direction.",
    Group.LEVERAGED: (
        "Here they are mostly short against coins or ETFs that they own (cash and carry): "
        "a large short tells of a rich premium, not of a bearish view."
    ),
    Group.NONCOMMERCIAL: (
        "Here asset managers (long) and leveraged funds (short) cancel each other out in it: prefer the TFF report."
    ),
    Group.COMMERCIAL: "Here they held next to nothing until 2025.",
}
_FOREX: dict[Group, str] = {
    Group.LEVERAGED: "Here they are the speculators, and the gauge of direction.",
    Group.ASSET_MANAGER: "Here much of it hedges the currency of their foreign shares and bonds.",
    Group.NONCOMMERCIAL: "Here they are the speculators.",
}


def meaning(group: Group, section: str) -> str:
    """One or two sentences on who a group is and what its position tells in this section."""
    here = (_CRYPTO if section == "crypto" else _FOREX).get(group, "")
    return f"{_MEANINGS[group]} {here}".strip()


def role(market: Market, report: Report, place: int) -> str:
    """What the first (0) and the second (1) group of the tiles are watched for."""
    if place == 0:
        return "direction"
    return "carry" if report is Report.TFF and market.carry else "hedge"


_SIZES = {"M": "millions", "bn": "billions", "tn": "trillions"}


def unit_note(unit: str) -> str:
    """The unit of a chart: ``tn JPY`` is "in trillions of JPY"."""
    size, _, rest = unit.rpartition(" ")
    return f"in {_SIZES[size]} of {rest}" if size in _SIZES else f"in {unit}"


def inverted_note(market: Market) -> str:
    """How to read a future that is quoted the other way round than the pair is traded; empty when it is not."""
    if not market.inverted:
        return ""
    return (
        f"The future is quoted in dollars per {market.unit}, the spot market quotes {market.pair}: "
        f"net long here is short {market.pair}. Nothing on this page is turned round."
    )
