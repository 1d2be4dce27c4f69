"""Read a notice title: what kind of notice it is, which coins, which markets.

:func:`parse` is pure and total: any text gives an answer, in bounded time. The rules:

1. **Doubt is not a listing.** Only a title that fits the listing grammar as a whole
   (:mod:`trader.listings.listing_title`) is one; a listing word somewhere is not enough
   (``거래지원 기념 이벤트``, ``거래지원 종료``, ``대여 자산 추가`` are not).
2. **A listing without a readable coin** stays a listing with no symbols, so nothing is traded, as long as it names markets.
3. **Amended titles** (``(거래지원 개시 시점 변경 안내)``) keep kind, symbols and markets and get ``amended=True``. So does a
   title that calls a listing off: ``symbols`` says what the notice is *about*. What may still be traded is
   ``symbols`` without :func:`cancelled`; the detector applies it.
4. ``markets_by_symbol`` is filled when coins of one title go to different markets, else ``markets`` holds for all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from shared.domain.notice import NoticeKind, ParsedTitle
from trader.listings import listing_title, tickers, title_kinds, title_text
from trader.listings.tickers import MARKET_PHRASE, NOT_COINS, TICKER
from trader.listings.title_text import MARK, Title

_MANY: Final = rf"{TICKER}(?:(?: ?[,/&] ?| and | 및 ){TICKER})*"
_BARE_BEFORE: Final = re.compile(
    rf"(?<![A-Za-z0-9/])({_MANY}) ?(?:코인 ?|토큰 ?)?(?:에어드랍|에어드롭|지급|입 ?출금|입금|출금|거래 ?지원|거래 ?유의|유의 ?종목|유의 ?촉구"
    r"|스왑|리브랜딩|하드 ?포크|메인넷|[Dd]igital [Aa]sset|[Dd]eposit|[Ww]ithdraw|[Dd]istribution|[Aa]ir ?drop|[Tt]rading|[Tt]oken)"
)
_BARE_AFTER: Final = re.compile(
    rf"\b(?:[Ff]or|[Oo]f|[Oo]n) ({_MANY})(?= ?(?:$|{MARK}|for\b|to\b|due\b|because\b|as\b|following\b|owing\b|by\b|from\b|network\b|Network\b))"
)


def parse(title: str) -> ParsedTitle:
    """Read a title in Korean or English."""
    cut = title_text.split(title)
    if cut is None:
        return ParsedTitle(kind=NoticeKind.OTHER)
    kind, may_list = title_kinds.before_listing(cut)
    if kind is None and may_list:
        listing = listing_title.parse(cut)
        if listing is not None:
            return listing
    kind = kind or title_kinds.after_listing(cut)
    certain = kind in {NoticeKind.DELISTING, NoticeKind.CAUTION}
    return ParsedTitle(
        kind=kind,
        symbols=_symbols(cut, certain=certain),
        markets=_markets(cut),
        amended=title_kinds.amended(cut),
    )


def parse_cached(title: str) -> ParsedTitle:
    """:func:`parse` with a memory: a page shows the same titles again and again."""
    return _cached(title) if len(title) <= title_text.MAX_TITLE else parse(title)


_cached: Final = lru_cache(maxsize=2048)(parse)


def cancelled(title: str) -> frozenset[str]:
    """The coins of a listing title that the same title calls off (``헤미(HEMI) 거래지원 취소 안내``)."""
    cut = title_text.split(title)
    parsed = parse(title)
    if cut is None or not parsed.symbols:
        return frozenset()
    return listing_title.cancelled(cut, parsed.symbols)


def _symbols(title: Title, *, certain: bool) -> tuple[str, ...]:
    """Coins of a title that is no listing: bracketed tickers; without any, bare ones beside a telling word.

    ``certain``: the kind is always about coins, so that even ``(NFT)`` is one.
    """
    found: list[str] = []
    end = len(title.text.rstrip(MARK + " "))
    for group in title.groups:
        if not group.attached and group.at >= end and found:
            continue
        coins = tickers.coin_list(group.text, named=False) or ()
        found += [coin.symbol for coin in coins if certain or coin.symbol not in NOT_COINS]
    if not found:
        match = _BARE_BEFORE.search(title.text) or _BARE_AFTER.search(title.text)
        if match:
            symbols = re.findall(TICKER, match[1])
            found = [symbol for symbol in symbols if symbol not in NOT_COINS and symbol != "KRW"]
    return tickers.unique(found)


def _markets(title: Title) -> tuple[str, ...]:
    names: list[str] = []
    for text in (title.text, *(group.text for group in title.groups)):
        for match in MARKET_PHRASE.finditer(text):
            names += tickers.quotes(match[0])
    return tickers.unique(names)
