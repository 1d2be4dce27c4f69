"""Decide once per notice whether it is news that may be traded. Pure: no I/O, no clock of its own.

A listing is acted on when **all** of these hold:

1. *Armed*: the host that shows it has shown a first page before. That first page (the seed) only teaches what
   is old; nothing in it is ever acted on, later edits included.
2. *First sight*: no host, no seed and no earlier run has shown this key. Titles and ``listed_at`` do not matter,
   so an edit is never news, not even one that turns another notice into a listing.
3. *Fresh*: ``first_listed_ns`` lies at most ``max_age_ns`` before now and at most ``skew_ns`` after it.
4. *First announcement of the coin* over all sources within ``coin_memory_ns``; decided for each coin by itself.
   Seeds, stale notices and earlier runs count: whoever announced it, the news is out.
5. *Not called off* in the same title.

What was seen is kept in bounded memory. Forgetting is safe: a key is forgotten together with every notice that was
published no later (``floor_ns``), and coins are only forgotten when their time is over.
Who wants which listing (market additions, without KRW) is not decided here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from shared import clock
from shared.domain.notice import Notice, NoticeKind, ParsedTitle
from trader.listings import titles

LISTINGS: Final = frozenset({NoticeKind.NEW_LISTING, NoticeKind.MARKET_ADDITION})
DAY_NS: Final = 86_400 * clock.SECOND


class Verdict(StrEnum):
    """What the record of a notice says."""

    ACTED = "acted"
    SEEDED = "seeded"
    IGNORED = "ignored"


class CoinCall(msgspec.Struct, frozen=True, kw_only=True):
    """One coin of one notice. ``markets`` are its own; empty when the title names none."""

    symbol: str
    kind: NoticeKind
    markets: tuple[str, ...]
    act: bool
    reason: str


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A host shows a notice for the first time. ``lag_ns``: behind the first host that did, 0 for that one."""

    key: str
    source: str
    host: str
    received_ns: int
    first: bool
    lag_ns: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What one notice on one page means.

    ``act``: at least one of ``coins`` is to be traded; the others say why not.
    ``first``: nobody has shown this key before. ``edited``: the title differs from the last one seen.
    ``arrival``: ``None`` when this host has shown the notice before.
    """

    act: bool
    verdict: Verdict
    reason: str
    notice: Notice
    parsed: ParsedTitle
    coins: tuple[CoinCall, ...]
    first: bool
    edited: bool
    arrival: Arrival | None

    @property
    def to_trade(self) -> tuple[CoinCall, ...]:
        return tuple(coin for coin in self.coins if coin.act)


class _Seen:
    """What is remembered of a notice."""

    __slots__ = ("first_listed_ns", "hosts", "received_ns", "title")

    def __init__(self, first_listed_ns: int, received_ns: int = 0, title: int = 0) -> None:
        self.first_listed_ns = first_listed_ns
        self.received_ns = received_ns
        self.title = title  # hash; 0 = not known
        self.hosts: tuple[tuple[str, str], ...] = ()


class Detector:
    """Feed every page of every source to :meth:`page`, in the order of arrival.

    :param max_age_ns: a notice published longer ago is never acted on.
    :param skew_ns: how far in the future a publication may lie: stamps have whole seconds, clocks differ.
    :param coin_memory_ns: a coin announced twice within this time is news once.
    :param capacity: how many notices, and how many coins, are remembered.
    """

    def __init__(
        self,
        *,
        max_age_ns: int,
        skew_ns: int = 2 * clock.SECOND,
        coin_memory_ns: int = 14 * DAY_NS,
        capacity: int = 20_000,
    ) -> None:
        if max_age_ns <= 0 or skew_ns < 0 or coin_memory_ns < max_age_ns + skew_ns or capacity < 1:
            raise ValueError("a detector needs max_age > 0, skew >= 0, coin memory >= both, capacity >= 1")
        self.max_age_ns = max_age_ns
        self.skew_ns = skew_ns
        self.coin_memory_ns = coin_memory_ns
        self.capacity = capacity
        self.floor_ns = -1
        """The newest publication among forgotten notices; nothing published up to then is acted on."""
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._coins: dict[str, int] = {}
        self._armed: set[tuple[str, str]] = set()

    def preload(
        self,
        notices: Iterable[tuple[str, int]] = (),
        coins: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Take over an earlier run: ``(key, first_listed_ns)`` of its notices, oldest first, and
        ``(symbol, announced_ns)`` of the coins they announced."""
        for key, first_listed_ns in notices:
            if key not in self._seen:
                self._remember(key, _Seen(first_listed_ns))
        for symbol, announced_ns in coins:
            if len(self._coins) < self.capacity or symbol in self._coins:
                self._coins[symbol] = max(announced_ns, self._coins.get(symbol, announced_ns))

    def armed(self, source: str, host: str) -> bool:
        return (source, host) in self._armed

    @property
    def remembered(self) -> tuple[int, int]:
        """How many notices and coins are in memory."""
        return len(self._seen), len(self._coins)

    def page(
        self, source: str, host: str, items: Iterable[tuple[Notice, ParsedTitle]], now_ns: int
    ) -> list[Decision]:
        """A whole page in its order: a seed when it is the host's first, else news. One decision per row."""
        if not self.armed(source, host):
            return self.seed(source, host, items, now_ns)
        return [self.see(notice, parsed, now_ns) for notice, parsed in items]

    def seed(
        self, source: str, host: str, items: Iterable[tuple[Notice, ParsedTitle]], now_ns: int
    ) -> list[Decision]:
        """Learn what is old, then arm the host. An empty page arms, too."""
        decisions = [self._see(notice, parsed, now_ns, seeding=True) for notice, parsed in items]
        self._armed.add((source, host))
        return decisions

    def see(self, notice: Notice, parsed: ParsedTitle, now_ns: int) -> Decision:
        """One notice. From a host that is not armed it counts as a seed."""
        return self._see(notice, parsed, now_ns, seeding=not self.armed(notice.source, notice.host))

    def _see(self, notice: Notice, parsed: ParsedTitle, now_ns: int, *, seeding: bool) -> Decision:
        seen = self._seen.get(notice.key)
        if seen is not None:
            self._seen.move_to_end(notice.key)
            edited = seen.title not in (0, hash(notice.title))
            seen.title = hash(notice.title)
            reason = "seen before, now with another title" if edited else "seen before"
            verdict = Verdict.SEEDED if seeding else Verdict.IGNORED
            return self._decision(
                notice, parsed, verdict, reason, arrival=self._arrival(notice, seen), edited=edited
            )
        refusal = self._refusal(notice, parsed, now_ns, seeding=seeding)
        seen = _Seen(notice.first_listed_ns, notice.received_ns, hash(notice.title))
        self._remember(notice.key, seen)
        coins = self._coin_calls(notice, parsed, now_ns, refusal)
        acting = [coin for coin in coins if coin.act]
        if acting:
            verdict, reason = Verdict.ACTED, f"news: {', '.join(coin.symbol for coin in acting)}"
        else:
            verdict = Verdict.SEEDED if seeding else Verdict.IGNORED
            reason = refusal or "; ".join(f"{coin.symbol}: {coin.reason}" for coin in coins)
        arrival = self._arrival(notice, seen, first=True)
        return self._decision(notice, parsed, verdict, reason, coins=coins, first=True, arrival=arrival)

    @staticmethod
    def _decision(
        notice: Notice,
        parsed: ParsedTitle,
        verdict: Verdict,
        reason: str,
        *,
        arrival: Arrival | None,
        coins: tuple[CoinCall, ...] = (),
        first: bool = False,
        edited: bool = False,
    ) -> Decision:
        return Decision(
            act=verdict is Verdict.ACTED,
            verdict=verdict,
            reason=reason,
            notice=notice,
            parsed=parsed,
            coins=coins,
            first=first,
            edited=edited,
            arrival=arrival,
        )

    def _refusal(self, notice: Notice, parsed: ParsedTitle, now_ns: int, *, seeding: bool) -> str:
        """Why nothing in a notice of first sight may be traded; empty when something may."""
        if parsed.kind not in LISTINGS:
            return f"not a listing: {parsed.kind}"
        if not parsed.symbols:
            return "a listing, but no coin could be read in its title"
        if seeding:
            return "was there before watching began"
        return self._stale(notice, now_ns)

    def _stale(self, notice: Notice, now_ns: int) -> str:
        """Why a notice is not fresh; empty when it is."""
        if notice.first_listed_ns <= 0:
            return "has no time of publication"
        age_ns = now_ns - notice.first_listed_ns
        if age_ns < -self.skew_ns:
            return f"published {-age_ns / clock.SECOND:.1f} s in the future: check the clock of this machine"
        if age_ns > self.max_age_ns:
            return f"published {age_ns / clock.SECOND:.1f} s ago, the limit is {self.max_age_ns / clock.SECOND:g} s"
        if notice.first_listed_ns <= self.floor_ns:
            return "published no later than notices that were forgotten"
        return ""

    def _coin_calls(
        self, notice: Notice, parsed: ParsedTitle, now_ns: int, refusal: str
    ) -> tuple[CoinCall, ...]:
        if parsed.kind not in LISTINGS:
            return ()
        cancelled = titles.cancelled(notice.title) if parsed.amended else frozenset[str]()
        published_ns = notice.first_listed_ns
        announced_ns = published_ns if 0 < published_ns <= now_ns else now_ns
        calls = []
        for symbol in dict.fromkeys(parsed.symbols):
            known = self._announce(symbol, announced_ns, now_ns)
            reason = refusal or known or ("its listing is cancelled" if symbol in cancelled else "")
            calls.append(
                CoinCall(
                    symbol=symbol,
                    kind=parsed.kind,
                    markets=parsed.markets_by_symbol.get(symbol, parsed.markets),
                    act=not reason,
                    reason=reason or "news",
                )
            )
        return tuple(calls)

    def _announce(self, symbol: str, announced_ns: int, now_ns: int) -> str:
        """Remember a coin; say why it is no news, if so."""
        before_ns = self._coins.get(symbol)
        if before_ns is not None and now_ns - before_ns <= self.coin_memory_ns:
            return f"announced before, {max(now_ns - before_ns, 0) / clock.SECOND:.0f} s ago"
        if now_ns - announced_ns > self.coin_memory_ns:
            return ""  # older than the memory: nothing to remember
        if before_ns is None and len(self._coins) >= self.capacity and not self._forget_coins(now_ns):
            return "too many coins were announced lately to tell old from new"
        self._coins[symbol] = announced_ns
        return ""

    def _forget_coins(self, now_ns: int) -> bool:
        """Drop coins whose time is over; false when there is none."""
        before = len(self._coins)
        self._coins = {symbol: ns for symbol, ns in self._coins.items() if now_ns - ns <= self.coin_memory_ns}
        return len(self._coins) < before

    def _remember(self, key: str, seen: _Seen) -> None:
        self._seen[key] = seen
        if len(self._seen) > self.capacity:
            _, forgotten = self._seen.popitem(last=False)
            self.floor_ns = max(self.floor_ns, forgotten.first_listed_ns)

    @staticmethod
    def _arrival(notice: Notice, seen: _Seen, *, first: bool = False) -> Arrival | None:
        place = (notice.source, notice.host)
        if place in seen.hosts:
            return None
        seen.hosts = (*seen.hosts, place)[-64:]
        return Arrival(
            key=notice.key,
            source=notice.source,
            host=notice.host,
            received_ns=notice.received_ns,
            first=first,
            lag_ns=max(notice.received_ns - seen.received_ns, 0) if seen.received_ns and not first else 0,
        )
