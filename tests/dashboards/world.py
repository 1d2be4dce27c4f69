"""Known rows for the pages: three accounts, two positions, one notice that was acted on and what it led to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from shared import clock
from shared.db.tables import (
    Account,
    EquitySnapshot,
    Heartbeat,
    Instrument,
    Intent,
    Notice,
    NoticeArrival,
    Order,
    Position,
    Transfer,
    User,
)

S, MS, US = clock.SECOND, clock.MILLISECOND, clock.MICROSECOND
TITLE = "[거래] 카이트(KITE) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
HOSTILE = '<img src=x onerror="alert(1)">&`**bold**'
"""A title as a hostile notice board might send it."""
KEY = "upbit:1000"
KITE = "bitget:perp:KITE-USDT"


class World:
    """Writes rows into a migrated database. ``now_ns`` is the moment its story is told from."""

    def __init__(self, url: str, now_ns: int | None = None) -> None:
        self.now_ns = clock.now_ns() if now_ns is None else now_ns
        self.engine: Engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        self.accounts: dict[str, tuple[int, int]] = {}
        """User name -> (user id, account id)."""

    def close(self) -> None:
        self.engine.dispose()

    def add(self, *rows: Any) -> None:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            for row in rows:
                session.add(row)
                session.flush()

    def account(self, name: str, label: str = "main", mode: str = "paper", state: str = "armed") -> int:
        user = User(name=name, role="user", state="active", created_ns=self.now_ns)
        self.add(user)
        account = Account(
            user_id=user.id,
            venue="bitget",
            kind="classic",
            mode=mode,
            label=label,
            state=state,
            state_reason="" if state == "armed" else "paused by hand",
            sealed_credentials=b"sealed",
            key_tail="abcd",
            created_ns=self.now_ns,
            updated_ns=self.now_ns,
        )
        self.add(account)
        self.accounts[name] = (user.id, account.id)
        return account.id

    def owner(self, name: str) -> dict[str, Any]:
        user_id, account_id = self.accounts[name]
        return {"user_id": user_id, "account_id": account_id, "mode": "paper", "strategy_id": "listing"}

    def equity(self, name: str, equity: str, unrealised: str = "0", at_ns: int | None = None) -> None:
        self.add(
            EquitySnapshot(
                **self.owner(name),
                currency="USDT",
                equity=Decimal(equity),
                available=Decimal(equity) - 100,
                unrealised=Decimal(unrealised),
                taken_ns=self.now_ns if at_ns is None else at_ns,
            )
        )

    def transfer(self, name: str, amount: str, at_ns: int) -> None:
        row = Transfer(
            **self.owner(name),
            venue_ref=f"t{at_ns}",
            kind="deposit",
            currency="USDT",
            amount=Decimal(amount),
            occurred_ns=at_ns,
        )
        self.add(row)

    def instrument(self, base: str, tick: str) -> None:
        row = Instrument(
            id=f"bitget:perp:{base}-USDT",
            venue="bitget",
            market="perp",
            symbol=f"{base}USDT",
            base=base,
            quote="USDT",
            tick=Decimal(tick),
            step=Decimal(1),
            min_size=Decimal(1),
            min_notional=Decimal(5),
            max_market_size=Decimal(0),
            max_leverage=50,
            taker_fee=Decimal("0.0006"),
            maker_fee=Decimal("0.0002"),
            status="trading",
            updated_ns=self.now_ns,
        )
        self.add(row)

    def position(self, name: str, **changes: Any) -> None:
        values: dict[str, Any] = {
            "instrument_id": KITE,
            "side": "long",
            "state": "ACTIVE",
            "size": Decimal(2900),
            "entry_price": Decimal("0.06894312"),
            "mark_price": Decimal("0.07033"),
            "margin": Decimal(20),
            "leverage": 10,
            "unrealised": Decimal("4.02"),
            "realised": Decimal(0),
            "liquidation_price": Decimal("0.06231"),
            "take_profit_price": Decimal("0.0827"),
            "stop_price": None,
            "opened_ns": self.now_ns - 80 * S,
            "updated_ns": self.now_ns,
        }
        self.add(Position(**self.owner(name), **{**values, **changes}))

    def notice(self, key: str, title: str, decision: str, symbols: list[str], age_s: int = 90) -> None:
        row = Notice(
            key=key,
            source="upbit",
            title=title,
            category="거래",
            kind="new_listing" if symbols else "other",
            symbols=symbols,
            markets=["KRW"],
            amended=False,
            first_listed_ns=self.now_ns - (age_s + 2) * S,
            first_seen_ns=self.now_ns - age_s * S,
            decision=decision,
            reason=f"because it is {decision}",
        )
        self.add(row)

    def arrival(self, key: str, host: str, behind_ns: int, age_s: int = 90) -> None:
        seen_ns = self.now_ns - age_s * S + behind_ns
        row = NoticeArrival(
            notice_key=key,
            source="upbit",
            host=host,
            title=TITLE,
            received_ns=seen_ns,
            decoded_ns=seen_ns + 40 * US,
            first=behind_ns == 0,
        )
        self.add(row)

    def order(self, name: str, state: str = "filled", **changes: Any) -> str:
        """A market entry of the notice, its stages 41, 37, 18, 25, 18 us, then 6 ms and 1.3 ms."""
        client_id = f"test{self.accounts[name][1]:026d}"
        seen_ns, filled = self.now_ns - 90 * S, state == "filled"
        written_ns = seen_ns + 139 * US
        intent = Intent(
            **self.owner(name),
            client_id=client_id,
            instrument_id=KITE,
            cause=f"listing:{KEY}:KITE",
            leg=0,
            step="entry",
            attempt=0,
            side="buy",
            order_type="market",
            size=Decimal(2900),
            price=None,
            reference_price=Decimal("0.06891"),
            margin=Decimal(20),
            leverage=10,
            take_profit_price=Decimal("0.0827"),
            stop_price=None,
            reduce_only=False,
            created_ns=seen_ns,
        )
        values: dict[str, Any] = {
            "client_id": client_id,
            "instrument_id": KITE,
            "side": "buy",
            "state": state,
            "size": Decimal(2900),
            "filled_size": Decimal(2900 if filled else 0),
            "average_price": Decimal("0.06894312") if filled else None,
            "fee": Decimal("0.1199") if filled else Decimal(0),
            "reason_code": "40762" if state == "rejected" else "",
            "reason": "The order amount exceeds the balance" if state == "rejected" else "",
            "seen_ns": seen_ns,
            "decoded_ns": seen_ns + 41 * US,
            "decided_ns": seen_ns + 78 * US,
            "signed_ns": seen_ns + 96 * US,
            "journaled_ns": seen_ns + 121 * US,
            "written_ns": written_ns,
            "acknowledged_ns": 0 if state == "unknown" else written_ns + 6 * MS,
            "filled_ns": written_ns + 7_300 * US if filled else 0,
            "updated_ns": self.now_ns,
        }
        self.add(intent, Order(**self.owner(name), **{**values, **changes}))
        return client_id

    def beat(
        self,
        service: str,
        detail: dict[str, Any],
        *,
        state: str = "armed",
        age_ns: int = 0,
        now_ns: int | None = None,
    ) -> None:
        at_ns = (clock.now_ns() if now_ns is None else now_ns) - age_ns
        values = {"pid": 1, "state": state, "detail": detail, "started_ns": at_ns, "at_ns": at_ns}
        query = insert(Heartbeat).values(service=service, **values)
        with self.engine.begin() as connection:
            connection.execute(query.on_conflict_do_update(index_elements=["service"], set_=values))

    def fill(self) -> None:
        """The whole story."""
        self.instrument("BTC", "0.1")
        self.instrument("KITE", "0.00001")
        for name, before, now in (("alice", "10000", "10004.02"), ("bob", "25000", "24990.5")):
            self.account(name)
            self.equity(name, before, at_ns=self.now_ns - 2 * 86_400 * S)
            self.equity(name, before, at_ns=self.now_ns - 60 * S)
            self.equity(name, now, unrealised="4.02" if name == "alice" else "-9.5")
        self.account("chia-ling", label="swing", state="paused")
        self.notice(KEY, TITLE, "acted", ["KITE"])
        self.arrival(KEY, "127.0.0.1:9500", 0)
        self.arrival(KEY, "other.example", 183 * MS)
        self.notice("upbit:999", HOSTILE, "ignored", [], age_s=100)
        self.notice("upbit:998", "점검 안내", "seeded", [], age_s=200)
        self.order("alice")
        self.order("bob", "rejected")
        self.position("alice")
        self.position(
            "bob",
            instrument_id="bitget:perp:BTC-USDT",
            side="short",
            size=Decimal("0.0125"),
            entry_price=Decimal("97114.2"),
            mark_price=Decimal("97874.2"),
            margin=Decimal("121.39"),
            unrealised=Decimal("-9.5"),
            liquidation_price=None,
            take_profit_price=None,
        )
        self.tick("97874.2")

    def tick(self, bitcoin: str, *, age_ns: int = 0) -> None:
        """A heartbeat of trader and supervisor, with prices."""
        prices = {"BTCUSDT": bitcoin, "ETHUSDT": "3411.52", "KITEUSDT": "0.07033", "broken": "NaN"}
        self.beat("trader", {"prices": prices}, age_ns=age_ns)
        self.beat("up", {"tape": "synthetic:1", "demo": True}, state="running", age_ns=age_ns)
