"""Tickers and markets inside a piece of title text.

A ticker is 1-15 of ``A-Z0-9`` with at least one letter: ``F``, ``2Z``, ``1INCH``, ``PIEVERSE``.
There are no lower-case tickers on Upbit, so a lower-case word is a name. ``KRW`` is never a coin.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

TICKER: Final = r"(?:(?=[A-Z0-9]{1,15}(?![A-Z0-9]))[0-9]*[A-Z][A-Z0-9]*)"
_NO_WORD_BEFORE: Final = r"(?<![A-Za-z0-9])"
_NO_WORD_AFTER: Final = r"(?![A-Za-z0-9])"
_DOTS: Final = "·ᆞ・、"
"""Middle dots and the ideographic comma that Korean uses in lists (``ㆍ`` is ``ᆞ`` after NFKC)."""

_QUOTE: Final = r"(?:KRW|BTC|USDT|ETH|원화)"
_JOIN: Final = rf"(?:(?: ?(?:[,/&+{_DOTS}]|및|와|과|and|or) ?)| )"
_MARKET: Final = r"(?:마켓|[Mm]arkets?|MARKETS?)"
_QUOTES: Final = rf"{_QUOTE}(?:{_JOIN}{_QUOTE})*"

MARKET_PHRASE: Final = re.compile(
    rf"{_NO_WORD_BEFORE}({_QUOTES}) ?{_MARKET}(?:{_JOIN}{_QUOTES} ?{_MARKET})*(?![A-Za-z])"
)
"""``KRW, BTC 마켓``, ``원화마켓``, ``KRW 마켓, BTC 마켓``, ``USDT Market``: with the word itself."""

_MARKET_GROUP: Final = re.compile(
    rf"(?:{_MARKET} ?: ?)?({_QUOTES}(?: ?{_MARKET}(?:{_JOIN}{_QUOTES} ?{_MARKET})*)?)(?![A-Za-z0-9])"
)
_QUOTE_WORD: Final = re.compile(_QUOTE)
_MARKET_WORD: Final = re.compile(_MARKET)

_ITEMS: Final = re.compile(rf" ?[,;&+{_DOTS}] ?| (?:및|와|과|and) ")
_TICKER: Final = re.compile(TICKER)
_PAIR: Final = re.compile(rf"({TICKER})[/-](KRW|BTC|USDT|ETH)")
_SLASHED: Final = re.compile(rf"{TICKER}(?: ?[/ ] ?{TICKER})+")
_NAME_TICKER: Final = re.compile(rf"[^,]{{1,60}}[^,A-Z0-9 ][^,A-Z0-9]{{0,40}} ({TICKER})")
_NAMED: Final = re.compile(rf"[^\s,()\[\]][^,()\[\]]{{0,60}}[(\[] ?({TICKER}) ?[)\]]")
_AND_OTHERS: Final = re.compile(r" ?(?:외|등) ?[0-9]{0,3} ?(?:종|개|건)?$| and [0-9]{1,3} (?:others?|more)$")
_COIN_MARKETS: Final = re.compile(rf"({TICKER}) ?[:\-–] ?({_QUOTES} ?{_MARKET}?)")
_SEMICOLON: Final = re.compile(r" ?[;/|] ?")

NOT_COINS: Final = frozenset(
    {"NFT", "NFTS", "API", "APIS", "FAQ", "KYC", "AML", "CDD", "VASP", "VASPS", "FIU", "FSC", "FSS", "DAXA"}
    | {"ISMS", "OTP", "QR", "VIP", "KST", "UTC", "SNS", "SMS", "PC", "APP", "IOS", "AOS", "UI", "UX", "WEB"}
    | {"ATH", "TOP", "NEW", "STO", "CBDC", "USD", "EUR", "JPY", "DEX", "CEX", "URL", "PDF", "CEO", "MOU"}
    | {
        "HTS",
        "MTS",
        "PIN",
        "CS",
        "LLC",
        "BEP2",
        "BEP20",
        "BRC20",
        "ERC20",
        "ERC721",
        "KIP7",
        "TRC10",
        "TRC20",
    }
)
"""Capital words that titles use without meaning a coin. Only where nothing else says *coin*."""


class Coin(NamedTuple):
    """A ticker with the markets that are glued to it (``ETC/KRW``)."""

    symbol: str
    markets: tuple[str, ...] = ()


class Markets(NamedTuple):
    """A bracket group or phrase that names markets.

    ``worded``: the word *market* is in it, so that ``(BTC)`` can still be a coin.
    ``rest``: what follows in the same group.
    """

    names: tuple[str, ...]
    worded: bool
    rest: str


def unique(items: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def quotes(text: str) -> tuple[str, ...]:
    """Quote currencies in the order of the text: ``원화, BTC 마켓`` → ``("KRW", "BTC")``."""
    return unique(["KRW" if word == "원화" else word for word in _QUOTE_WORD.findall(text)])


def market_group(text: str) -> Markets | None:
    """Read a group as markets: ``KRW, BTC, USDT 마켓``, also with more text behind a separator."""
    match = _MARKET_GROUP.match(text)
    if match is None:
        return None
    rest = text[match.end() :].strip()
    worded = _MARKET_WORD.search(match[0]) is not None
    if rest and (not worded or rest[0] not in ",;/|-–:(["):
        return None
    return Markets(quotes(match[1]), worded, rest.strip(" ,;/|-–:"))


def is_ticker(text: str) -> bool:
    return _TICKER.fullmatch(text) is not None and text != "KRW"


def coin_list(text: str, *, named: bool) -> list[Coin] | None:
    """Read a whole text as a list of coins; ``None`` when anything else is in it.

    ``DOGE`` · ``ACS, GO`` · ``ETC/KRW`` · ``GAS/VTHO`` · ``도지(DOGE), 봉크(BONK)`` · ``ENA 외 5종`` and, with
    ``named``, ``샌드박스 SAND``.
    """
    if "(" in text or "[" in text:
        symbols = _NAMED.findall(text)
        rest = _NAMED.sub("", text)
        pure = symbols and not rest.strip(" ,/&" + _DOTS) and "KRW" not in symbols
        return [Coin(symbol) for symbol in symbols] if pure else None
    coins: list[Coin] = []
    for item in _ITEMS.split(_AND_OTHERS.sub("", text)):
        found = _item(item.strip(), named)
        if found is None:
            return None
        coins += found
    return coins


def _item(item: str, named: bool) -> list[Coin] | None:
    if is_ticker(item):
        return [Coin(item)]
    if (match := _PAIR.fullmatch(item)) and match[1] != "KRW":
        return [Coin(match[1], (match[2],))]
    if _SLASHED.fullmatch(item):
        symbols = _TICKER.findall(item)
        return None if "KRW" in symbols else [Coin(symbol) for symbol in symbols]
    if named and "/" in item:
        parts = [_item(part.strip(), named) for part in item.split("/")]
        return [coin for part in parts if part for coin in part] if all(parts) else None
    if named and (match := _NAME_TICKER.fullmatch(item)) and is_ticker(match[1]):
        return [Coin(match[1])]
    return None


def coins_with_markets(text: str) -> list[Coin] | None:
    """``TIA: KRW, BTC 마켓 / IO: BTC 마켓``: every coin with its own markets, else ``None``."""
    coins: list[Coin] = []
    for part in _SEMICOLON.split(text):
        match = _COIN_MARKETS.fullmatch(part)
        if match is None or match[1] == "KRW":
            return None
        coins.append(Coin(match[1], quotes(match[2])))
    return coins


def bare_items(text: str) -> list[str]:
    """The comma-separated items of running text, blanks trimmed, empty ones kept."""
    return [item.strip(" :-–") for item in _ITEMS.split(text)]


def tickers_anywhere(text: str) -> frozenset[str]:
    """Every capital word of a text; only for *refusing*, never for acting."""
    return frozenset(re.findall(rf"{_NO_WORD_BEFORE}{TICKER}{_NO_WORD_AFTER}", text))
