"""Keeps the hot path warm: what a notice will do is done over and over, without effect.

The first passages through Python code, and any passage after a pause, are several times slower than
the others: nothing of it is in the processor's caches, nothing specialised. Nobody should pay for
that with money, so a page with an invented notice is read, parsed, decided and turned into a signed
order for one account after the other, a few times a second. Nothing is journaled or written.
"""

from __future__ import annotations

import asyncio

import msgspec

from shared import clock
from trader.listings import titles, upbit_page
from trader.listings.detector import Detector
from trader.sniper import SOURCE, Sniper

HOST = "rehearsal"
ROWS = 20
FIRST_ROUNDS = 200
EVERY_S = 0.2
#: How far the rehearsal's own clock goes in a round.
ROUND_NS = 4 * clock.SECOND
_TITLE = "리허설(KREHEARSAL{number}) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


class Rehearsal:
    """Walks the way of a notice with a detector of its own. ``done`` counts signed orders."""

    def __init__(self, sniper: Sniper) -> None:
        self._sniper = sniper
        self._number = 0
        self._now = clock.now_ns()
        # Its notices are old after a second and its coins forgotten after three, so each round is news.
        self._detector = Detector(
            max_age_ns=clock.SECOND, skew_ns=0, coin_memory_ns=3 * clock.SECOND, capacity=ROWS * 4
        )
        self._detector.seed(SOURCE, HOST, [], self._now)
        self.done = 0

    async def run(self) -> None:
        """A burst at first, then a beat; until cancelled."""
        for desk in self._sniper.desks:
            await desk.wait_ready()
        while True:
            self.once()
            await asyncio.sleep(0.002 if self._number < FIRST_ROUNDS else EVERY_S)

    def _page(self) -> bytes:
        """A page whose newest row is new; the others were seen in the round before."""
        stamp = clock.iso(self._now)[:19] + "+00:00"
        rows = [
            {
                "listed_at": stamp,
                "first_listed_at": stamp,
                "id": number,
                "uuid": str(number),
                "title": _TITLE.format(number=number),
                "category": "거래",
                "need_new_badge": False,
                "need_update_badge": False,
            }
            for number in range(self._number, max(self._number - ROWS, 0), -1)
        ]
        data = {"total_pages": 1, "total_count": len(rows), "notices": rows, "fixed_notices": []}
        return msgspec.json.encode({"success": True, "data": data})

    def once(self) -> bool:
        """One notice, one account; False when no account is ready for it."""
        places = [(desk, member) for desk in self._sniper.desks for member in desk.members.values()]
        if not places:
            return False
        self._number += 1
        self._now += ROUND_NS
        desk, member = places[self._number % len(places)]
        instrument = next(iter(desk.market.instruments.values()), None)
        if instrument is None:
            return False
        practised = False
        notices = upbit_page.read(self._page(), HOST, self._now)
        items = [(notice, titles.parse_cached(notice.title)) for notice in notices]
        for decision in self._detector.page(SOURCE, HOST, items, self._now):
            if decision.act:
                practised = self._sniper.practise(desk, member, instrument, decision) or practised
        self.done += practised
        return practised
