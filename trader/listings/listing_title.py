"""The grammar of titles that announce a listing. What does not fit it is not a listing.

Korean puts the predicate last, so a title is *coins and markets, predicate, bracket groups*:

- ``도지(DOGE), 봉크(BONK) 신규 거래지원 안내 (KRW, BTC 마켓)``           coins first
- ``BTC, USDT 마켓 신규 거래지원 안내 (BICO, BMT)``                       markets first
- ``셀레스티아(TIA)(KRW, BTC 마켓), 아이오넷(IO)(BTC 마켓) 신규 거래지원 안내``   markets per coin

English puts it first: ``Market Support for Re(RE) (KRW Market)``, ``New Digital Assets Added to USDT Market (RE)``.

Which listing it is:

- ``신규 거래지원``, ``신규 상장``, ``상장`` → new listing.
- ``디지털 자산 추가``, ``코인 추가``: coins first → market addition. Markets first: with a BTC market → new listing
  (until 2024 a new coin always came to it), else market addition.
- English does not tell the two apart: with a BTC market → new listing, else market addition, which is the
  cautious reading, because market additions are traded only on request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.domain.notice import NoticeKind, ParsedTitle
from trader.listings import tickers
from trader.listings.tickers import MARKET_PHRASE, NOT_COINS, Coin
from trader.listings.title_text import MARK, Group, Title, Words

_ASSET: Final = r"(?:디지털 ?자산|가상 ?자산|암호 ?화폐|가상 ?화폐|코인|토큰|종목)"
_NEW: Final = rf"신규 ?(?:{_ASSET} ?)?(?:원화 ?)?거래 ?지원"
_LISTED: Final = rf"(?<!재)(?:신규 ?)?(?:{_ASSET} ?)?(?:신규 ?)?상장(?! ?폐지|사|주|기업|심사)"
_ADDED: Final = rf"(?:신규 ?)?{_ASSET} ?(?:신규 ?)?추가|(?<=마켓) ?(?:신규 ?)?추가|페어 ?추가"
_SUPPORT: Final = r"(?<![재가-힣])거래 ?지원(?= ?(?:개시 ?)?안내)"
_KO: Final = re.compile(rf"(?P<new>{_NEW}|{_LISTED})|(?P<added>{_ADDED})|(?P<support>{_SUPPORT})")
_KO_TAIL: Final = re.compile(r"(?: ?(?:개시|시작|예정|안내|공지|일정|소식|및|입 ?출금|지원|서비스|오픈))*")

_EN_ASSETS: Final = r"(?:digital|virtual|crypto) ?-?assets?|coins?|tokens?|cryptocurrenc(?:y|ies)"
_EN_FIRST: Final = re.compile(
    r"(?:(?:notice|announcement|guide|information) ?(?:on|of|for|about|:|-)? ?(?:the )?)?"
    r"(?:(?:new|additional|upcoming) )?(?:(?:digital asset|coin|krw) )?"
    r"(?:(?:market|trading|trade|transaction) support|listing)(?: (?:for|of|on)|:| -) ?(?=\S)",
    re.IGNORECASE,
)
_EN_ADDED: Final = re.compile(
    r"(?:(?:notice|announcement) (?:on|of|for) (?:the )?)?"
    rf"(?:(?:addition|listing) of )?(?:an? )?(?:new )?(?:{_EN_ASSETS})"
    rf"(?: (?:newly )?(?:added|listed|listing|addition|launched|available))?(?: (?:to|on|in|for|at))?(?: the)? ?",
    re.IGNORECASE,
)
_EN_MARKET_FIRST: Final = re.compile(
    rf"(?:(?:new|additional) )*(?:(?:{_EN_ASSETS}) )?(?:addition|listing|market support|trading support|added)s?",
    re.IGNORECASE,
)
_EN_LAST: Final = re.compile(
    r"\b(?:new )?(?:market|trading) support(?=$|[ \x01,:-])"
    r"|\b(?:is |are |will be )?(?:newly )?(?:added|listed)(?= (?:to|on) )",
    re.IGNORECASE,
)
_EN_FILLER: Final = re.compile(r"\b(?:on|in|to|for|at|the|and|with|via|of|upbit|both)\b", re.IGNORECASE)
_NO_LISTING: Final = Words(
    r"사칭|피싱|스캠|루머|허위|가짜|이벤트|기념|빌리기|대여|렌딩|스테이킹|드롭스|수수료|캠페인|에어드랍|종료|중단|취소|철회|연기|보류"
    r"|거절|반려|심사|기준|폐지|해제|유의|주의|예방|제한",
    r"scam|phish|fake|airdrop|event|staking|lending|terminat|suspen|delist|cancel|postpon|delay|warning|caution"
    r"|celebrat|commemorat|promotion|\bfees?\b|\bend\b|due to|regarding|\babout\b|related|deposits?\b|withdrawals?\b|\bwallet",
)
_DATE: Final = re.compile(
    r"[0-9년월일시분초./:~,\- ()]*[0-9][0-9년월일시분초오전후예정부터요화수목금토KST./:~,\- ()]*"
)
_BLANK: Final = " ,:;·|/-–—~.!"
_LETTER: Final = re.compile(r"\w")
_ONLY_NAMES: Final = re.compile(rf"(?:[^\s,·/&{MARK}]{{1,30}} ?{MARK}(?: ?{MARK})*[ ,·/&]*)+")
"""``도지(DOGE), 봉크(BONK)``: one word and its brackets each."""
_DASHED: Final = re.compile(r" ?[-–—:|/~·,*※→] ?(.{1,200})")
_AMENDING_TAG: Final = Words(r"변경|정정|수정|연기|취소|철회|재공지", r"updated?|postpon|cancel|chang")
_CANCELLED: Final = Words(r"취소|철회|무산|보류|백지화", r"cancel|withdrawn|revok|not (?:be )?listed")


class _Predicate(NamedTuple):
    """How the predicate reads, and which part ``first:last`` of the running text holds coins and markets."""

    name: str  # new | added | support | en
    first: int
    last: int
    tail: str = ""
    """What a dash separates from the predicate: a coin list or a later addition."""


def parse(title: Title) -> ParsedTitle | None:
    """The listing that a title announces, or ``None``."""
    if _NO_LISTING.search(title.tags):
        return None
    predicate = _korean(title) or _english(title)
    return None if predicate is None else _Reading(title, predicate).result()


def cancelled(title: Title, symbols: tuple[str, ...]) -> frozenset[str]:
    """The coins of a listing title whose listing is called off in the same title.

    A cancellation that names none of them means all of them.
    """
    said = [group.text for group in title.groups if _CANCELLED.search(group.text)]
    if _CANCELLED.search(title.text) or _CANCELLED.search(title.tags):
        return frozenset(symbols)
    named = [tickers.tickers_anywhere(text) & frozenset(symbols) for text in said]
    if not all(named):
        return frozenset(symbols)
    return frozenset().union(*named)


def _korean(title: Title) -> _Predicate | None:
    match = next(reversed(list(_KO.finditer(title.text))), None)  # the predicate is the last one
    if match is None:
        tag = _KO.search(title.tags)  # [신규 상장] 도지(DOGE)
        named = tag is not None and _ONLY_NAMES.fullmatch(title.text.strip())
        return _Predicate(str(tag.lastgroup), 0, len(title.text)) if tag and named else None
    after = _KO_TAIL.match(title.text, match.end())
    tail = _tail(title.text[after.end() if after else match.end() :])
    if tail is None or _NO_LISTING.search(_without_names(title, match.start())):
        return None
    return _Predicate(str(match.lastgroup), 0, match.start(), tail)


def _tail(rest: str) -> str | None:
    """What follows the predicate besides brackets and markets: nothing, named coins (both give ``""``), bare
    coins or, behind a dash, a later addition. ``None``: running text, so the predicate was not one."""
    plain = MARKET_PHRASE.sub(" ", rest.replace(MARK, " ")).strip(_BLANK)
    if not plain or not _LETTER.search(plain):
        return ""
    if _NO_LISTING.search(plain) is None and _ONLY_NAMES.fullmatch(rest.strip(_BLANK)):
        return ""
    if tickers.coin_list(plain, named=False):
        return plain
    dashed = _DASHED.fullmatch(rest.replace(MARK, " ").strip())
    return dashed[1].strip() if dashed else None


def _without_names(title: Title, end: int) -> str:
    """The text before the predicate without the words that carry a bracket (they are names)."""
    text = title.text[:end]
    for group in title.groups:
        if group.at < end and group.attached:
            start = max(text.rfind(" ", 0, group.at), text.rfind(",", 0, group.at)) + 1
            text = text[:start] + " " * (group.at - start) + text[group.at :]
    return text


def _english(title: Title) -> _Predicate | None:
    text, end = title.text, len(title.text)
    if match := _EN_FIRST.match(text):
        last = max((group.at for group in title.groups), default=end)
        return _fits(title, match.end(), end, text[last:], check=last)
    if (match := _EN_ADDED.match(text)) and (market := MARKET_PHRASE.match(text, match.end())):
        return _fits(title, match.end(), end, text[market.end() :])
    if (market := MARKET_PHRASE.match(text)) and (match := _EN_MARKET_FIRST.match(text, market.end() + 1)):
        return _fits(title, 0, end, text[match.end() :])
    if (match := _EN_LAST.search(text)) and MARK in text[: match.start()]:
        predicate = _fits(title, 0, match.start(), text[match.end() :], check=match.start())
        return predicate and predicate._replace(last=end)
    return None


def _fits(title: Title, first: int, last: int, rest: str, *, check: int = 0) -> _Predicate | None:
    """The English predicate, if the text up to ``check`` holds no word that denies it and ``rest`` is a tail."""
    if _NO_LISTING.search(_without_names(title, check), first):
        return None
    filled = MARKET_PHRASE.sub(" ", _EN_FILLER.sub(" ", rest).replace(MARK, " "))
    tail = _tail(rest) if _LETTER.search(filled) else ""
    return None if tail is None else _Predicate("en", first, last, tail)


@dataclass(slots=True)
class _Reading:
    """One walk over the title from left to right: markets and coins in the order they stand."""

    title: Title
    predicate: _Predicate
    coins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)
    general: tuple[str, ...] = ()
    markets: list[str] = field(default_factory=list)
    markets_first: bool = False
    coins_after: bool = False
    amended: bool = False

    def result(self) -> ParsedTitle | None:
        self._walk()
        self._read_tail()
        needed = (
            self.coins and self.markets if self.predicate.name == "support" else self.coins or self.markets
        )
        if not needed:
            return None
        by_symbol = {symbol: own or self.general for symbol, own in self.coins.items()}
        same = len(set(by_symbol.values())) <= 1
        return ParsedTitle(
            kind=self._kind(),
            symbols=tuple(self.coins),
            markets=tickers.unique(self.markets),
            markets_by_symbol={} if same else by_symbol,
            amended=self.amended or _AMENDING_TAG.search(self.title.tags) is not None,
        )

    def _kind(self) -> NoticeKind:
        name = self.predicate.name
        if name in {"new", "support"}:
            return NoticeKind.NEW_LISTING
        to_btc = "BTC" in self.markets
        if name == "added" and not self.markets_first:
            return NoticeKind.MARKET_ADDITION
        return NoticeKind.NEW_LISTING if to_btc else NoticeKind.MARKET_ADDITION

    def _walk(self) -> None:
        """Markets and brackets are events; the text between them holds names or bare tickers."""
        text, first, end = self.title.text, self.predicate.first, self.predicate.last
        events: list[tuple[int, int, Group | None]] = [
            (match.start(), match.end(), None) for match in MARKET_PHRASE.finditer(text, first, end)
        ]
        events += [(group.at, group.at + 1, group) for group in self.title.groups]
        events.sort(key=lambda event: event[0])
        at = first
        for start, stop, group in events:
            if at < min(start, end):
                self._between(text[at : min(start, end)], group if start < end else None)
            if group is None:
                self._assign(tickers.quotes(text[start:stop]))
            else:
                self._group(group, before=start < end)
            at = max(at, stop)
        if at < end:
            self._between(text[at:end], None)

    def _between(self, text: str, group: Group | None) -> None:
        """Bare tickers in running text. The last item before a coin's bracket is that coin's name."""
        items = tickers.bare_items(text.replace(MARK, " "))
        if group is not None and tickers.market_group(group.text) is None:
            items = items[:-1]
        for item in items:
            coins = tickers.coin_list(item, named=False) or ()
            self._add_all([coin for coin in coins if coin.symbol not in NOT_COINS])

    def _group(self, group: Group, *, before: bool) -> None:
        markets = tickers.market_group(group.text)
        if markets and self._means_markets(markets, group):
            self._assign(markets.names, glued=group.attached)
            self.amended |= bool(markets.rest)
            return
        if own := tickers.coins_with_markets(group.text):
            self._add_all(own)
            return
        coins = tickers.coin_list(group.text, named=not before or not group.attached)
        if coins is None and before and group.attached and group.text.isdigit() and len(group.text) <= 6:
            coins = [Coin(group.text)]  # a ticker of digits only
        after_names = not before and group.attached and self.coins_after
        if coins is not None and (before or after_names or not self.coins):
            self.coins_after |= not before
            self._add_all(coins)
        elif self.predicate.name == "en" and before:
            self.amended |= not group.attached and bool(self.coins)
        elif not before and coins is None:
            self.amended |= _DATE.fullmatch(group.text) is None

    def _means_markets(self, markets: tickers.Markets, group: Group) -> bool:
        if markets.worded or "KRW" in markets.names:
            return True
        return bool(self.coins) and not self.markets and (not group.attached or self._after_group(group))

    def _after_group(self, group: Group) -> bool:
        return group.at > 0 and self.title.text[group.at - 1] == MARK

    def _assign(self, names: tuple[str, ...], *, glued: bool = False) -> None:
        """Markets belong to the coins before them, or, when they came first, to the coins after them."""
        self.markets += names
        if not self.coins:
            self.markets_first = True
        if self.markets_first:
            self.general = names
            return
        if not glued:
            self.general = names
        for symbol in self.pending:
            self.coins[symbol] = self.coins[symbol] or names
        self.pending.clear()

    def _add_all(self, coins: list[Coin]) -> None:
        for coin in coins:
            self._add(coin)

    def _add(self, coin: Coin) -> None:
        if coin.symbol in self.coins:
            if coin.markets:
                self.coins[coin.symbol] = tickers.unique([*self.coins[coin.symbol], *coin.markets])
                self.markets += coin.markets
            return
        own = coin.markets or (self.general if self.markets_first else ())
        self.coins[coin.symbol] = own
        self.markets += coin.markets
        if not own:
            self.pending.append(coin.symbol)

    def _read_tail(self) -> None:
        tail = self.predicate.tail
        if not tail:
            return
        coins = tickers.coin_list(tail, named=True) if not self.coins else None
        if coins:
            self._add_all(coins)
        elif not self.coins_after:
            self.amended = True
