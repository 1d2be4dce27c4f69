"""What may be traded, once: every rule of the detector, then all of them at once against a slow model."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import SECOND
from shared.domain.notice import Notice, NoticeKind, ParsedTitle
from trader.listings import titles
from trader.listings.detector import DAY_NS, Decision, Detector, Verdict

NOW = 1_790_000_000 * SECOND
A, B = "https://a.test", "https://b.test"


def notice(
    key: int | str,
    title: str = "가온(GAON) 신규 거래지원 안내 (KRW, BTC 마켓)",
    *,
    age_s: float = 1,
    host: str = A,
    source: str = "upbit",
    at: int = NOW,
) -> Notice:
    """A notice that arrives at ``at`` and was published ``age_s`` before."""
    published = at - int(age_s * SECOND)
    return Notice(
        key=f"{source}:{key}",
        source=source,
        host=host,
        title=title,
        category="거래",
        first_listed_ns=published,
        listed_ns=published,
        received_ns=at,
        decoded_ns=at + 10,
    )


def detector(*armed: str, **options: int) -> Detector:
    made = Detector(max_age_ns=5 * SECOND, **options)
    for host in armed or (A,):
        made.seed("upbit", host, [], NOW - 60 * SECOND)
    return made


def see(watch: Detector, *notices: Notice, now: int = 0) -> list[Decision]:
    """One page, decided when its first row arrived."""
    items = [(row, titles.parse(row.title)) for row in notices]
    return watch.page(notices[0].source, notices[0].host, items, now or notices[0].received_ns)


def coins(decision: Decision) -> list[str]:
    return [coin.symbol for coin in decision.to_trade]


def test_a_fresh_listing_is_news_and_says_what_it_is() -> None:
    (decision,) = see(detector(), notice(1))
    assert decision.act
    assert decision.first
    assert decision.verdict is Verdict.ACTED
    (coin,) = decision.coins
    assert (coin.symbol, coin.kind, coin.markets) == ("GAON", NoticeKind.NEW_LISTING, ("KRW", "BTC"))


def test_a_cold_start_acts_on_nothing_not_even_on_fresh_rows() -> None:
    watch = Detector(max_age_ns=5 * SECOND)
    assert not watch.armed("upbit", A)
    rows = [notice(1, age_s=0), notice(2, "나래(NRE) 신규 거래지원 안내 (KRW 마켓)", age_s=3 * 86_400)]
    assert [d.verdict for d in see(watch, *rows)] == [Verdict.SEEDED, Verdict.SEEDED]
    assert watch.armed("upbit", A)
    assert not any(d.act for d in see(watch, *rows))


def test_a_notice_of_a_seed_page_is_never_acted_on_even_after_an_edit() -> None:
    watch = Detector(max_age_ns=5 * SECOND)
    see(watch, notice(1, "업비트 안내", age_s=1))
    (edited,) = see(watch, notice(1, age_s=0))
    assert not edited.act
    assert edited.edited
    (elsewhere,) = see(detector(), notice(2))
    assert elsewhere.act


def test_a_host_that_is_not_armed_only_teaches() -> None:
    watch = detector(A)
    decision = watch.see(notice(1, host=B), titles.parse(notice(1).title), NOW)
    assert decision.verdict is Verdict.SEEDED
    assert not see(watch, notice(1, host=A))[0].act


def test_an_empty_first_page_arms() -> None:
    watch = Detector(max_age_ns=5 * SECOND)
    assert watch.page("upbit", A, [], NOW) == []
    assert see(watch, notice(1))[0].act


def test_sources_are_armed_one_by_one() -> None:
    watch = detector(A)
    assert not see(watch, notice(1, source="push", host=A))[0].act


def test_an_edit_with_a_new_stamp_is_not_news() -> None:
    watch = detector()
    assert see(watch, notice(1))[0].act
    later = NOW + 90 * SECOND
    edit = notice(1, "가온(GAON) 신규 거래지원 안내 (KRW, BTC 마켓) (거래지원 개시 시점 변경 안내)", at=later)
    edit = msgspec.structs.replace(edit, first_listed_ns=later, listed_ns=later)
    (decision,) = see(watch, edit)
    assert not decision.act
    assert decision.edited
    assert not decision.first


def test_an_old_notice_edited_to_the_top_of_the_page_does_not_hide_the_news_below() -> None:
    watch = detector()
    old = notice(
        1, "나래(NRE) 신규 거래지원 안내 (KRW 마켓) (거래지원 개시 시점 변경 안내)", age_s=3 * 86_400
    )
    first, second = see(watch, msgspec.structs.replace(old, listed_ns=NOW), notice(2))
    assert not first.act
    assert "ago" in first.reason
    assert second.act


def test_a_burst_on_one_page_acts_on_every_row() -> None:
    rows = [
        notice(3, "가온(GAON) 신규 거래지원 안내 (KRW 마켓)"),
        notice(2, "나래(NRE) KRW 마켓 디지털 자산 추가"),
        notice(1, "BTC, USDT 마켓 신규 거래지원 안내 (DSM, RAON)"),
        notice(4, "마루(MARU) 거래지원 종료 안내 (9/14 15:00)"),
    ]
    decisions = see(detector(), *rows)
    assert [coins(d) for d in decisions] == [["GAON"], ["NRE"], ["DSM", "RAON"], []]


def test_each_coin_of_a_notice_has_its_own_markets() -> None:
    (decision,) = see(
        detector(), notice(1, "가온(GAON)(KRW, BTC 마켓), 나래(NRE)(BTC 마켓) 신규 거래지원 안내")
    )
    assert [(c.symbol, c.markets) for c in decision.coins] == [("GAON", ("KRW", "BTC")), ("NRE", ("BTC",))]


@pytest.mark.parametrize(
    ("age_s", "acts"),
    [
        (0, True),
        (5, True),
        (5.000000001, False),
        (3600, False),
        (-2, True),
        (-2.000000001, False),
        (-86_400, False),
    ],
)
def test_freshness_is_counted_from_the_first_publication(age_s: float, acts: bool) -> None:
    assert see(detector(), notice(1, age_s=age_s))[0].act is acts


@pytest.mark.parametrize("stamp", [0, -1, -NOW])
def test_a_notice_without_a_stamp_is_never_news(stamp: int) -> None:
    (decision,) = see(detector(), msgspec.structs.replace(notice(1), first_listed_ns=stamp))
    assert not decision.act
    assert "no time of publication" in decision.reason


def test_a_stale_first_sight_stays_refused_and_makes_its_coin_old() -> None:
    watch = detector()
    assert not see(watch, notice(1, age_s=8))[0].act
    assert not see(watch, notice(1, age_s=1))[0].act
    assert not see(watch, notice(2, age_s=1))[0].act


def test_one_act_over_hosts_and_every_arrival_with_its_lag() -> None:
    watch = detector(A, B)
    (first,) = see(watch, notice(1, host=A))
    (second,) = see(watch, notice(1, host=B, at=NOW + 700_000_000))
    (again,) = see(watch, notice(1, host=B, at=NOW + 2 * SECOND))
    assert (first.act, second.act, again.act) == (True, False, False)
    assert first.arrival is not None
    assert first.arrival.first
    assert first.arrival.lag_ns == 0
    assert second.arrival is not None
    assert not second.arrival.first
    assert second.arrival.lag_ns == 700_000_000
    assert again.arrival is None


def test_a_stale_page_of_another_host_triggers_nothing() -> None:
    watch = detector(A, B)
    see(watch, notice(2, "나래(NRE) 신규 거래지원 안내 (KRW 마켓)"), notice(1))
    later = NOW + 30 * SECOND
    stale = [
        notice(1, host=B, age_s=31, at=later),
        notice(0, "다솜(DSM) 신규 거래지원 안내 (KRW 마켓)", host=B, age_s=60, at=later),
    ]
    assert not any(d.act for d in see(watch, *stale))


def test_a_host_that_comes_back_with_old_news_only_counts_what_is_fresh() -> None:
    watch = detector(A, B)
    later = NOW + 3600 * SECOND
    rows = [
        notice(2, "나래(NRE) 신규 거래지원 안내 (KRW 마켓)", host=B, age_s=2, at=later),
        notice(1, host=B, age_s=1800, at=later),
    ]
    assert [d.act for d in see(watch, *rows)] == [True, False]


def test_the_same_coin_acts_once_over_sources_until_its_time_is_over() -> None:
    watch = detector(A)
    watch.seed("push", A, [], NOW)
    assert see(watch, notice(1))[0].act
    (other,) = see(watch, notice("x", source="push", at=NOW + SECOND))
    assert not other.act
    assert "announced before" in other.coins[0].reason
    assert not see(watch, notice(2, "가온(GAON) KRW 마켓 디지털 자산 추가", at=NOW + 13 * DAY_NS))[0].act
    assert see(watch, notice(3, "가온(GAON) USDT 마켓 디지털 자산 추가", at=NOW + 15 * DAY_NS))[0].act


def test_a_coin_in_a_seed_is_old_for_every_source() -> None:
    watch = Detector(max_age_ns=5 * SECOND)
    watch.seed("push", A, [], NOW)
    see(watch, notice(1))
    assert not see(watch, notice("x", source="push"))[0].act


def test_a_known_coin_does_not_hold_back_its_neighbour() -> None:
    watch = detector()
    see(watch, notice(1))
    (decision,) = see(watch, notice(2, "가온(GAON), 나래(NRE) 신규 거래지원 안내 (KRW 마켓)"))
    assert coins(decision) == ["NRE"]


def test_a_restart_knows_what_was_acted_on_before() -> None:
    watch = detector()
    watch.preload([("upbit:1", NOW - SECOND)], [("NRE", NOW - DAY_NS)])
    assert not see(watch, notice(1))[0].act
    assert not see(watch, notice(2, "나래(NRE) 신규 거래지원 안내 (KRW 마켓)"))[0].act
    assert see(watch, notice(3, "다솜(DSM) 신규 거래지원 안내 (KRW 마켓)"))[0].act


def test_a_coin_that_the_title_calls_off_is_not_traded() -> None:
    title = "가온(GAON), 나래(NRE) 신규 거래지원 안내 (KRW 마켓) (가온(GAON) 거래지원 취소 안내)"
    (decision,) = see(detector(), notice(1, title))
    assert coins(decision) == ["NRE"]
    assert "cancelled" in decision.coins[0].reason
    (all_off,) = see(detector(), notice(1, "가온(GAON) 신규 거래지원 안내 (KRW 마켓) (거래지원 취소 안내)"))
    assert not all_off.act


def test_an_amended_title_is_news_only_while_it_is_fresh() -> None:
    title = "가온(GAON) 신규 거래지원 안내 (KRW 마켓) (매도 최저가 기준 가격 안내)"
    assert see(detector(), notice(1, title, age_s=2))[0].act
    assert not see(detector(), notice(1, title, age_s=600))[0].act


@pytest.mark.parametrize(
    "title",
    [
        "가온(GAON) 거래지원 종료 안내 (9/14 15:00)",
        "가온(GAON) 거래 유의 종목 지정 안내",
        "가온(GAON) 신규 거래지원 기념 이벤트",
        "가온 신규 거래지원 안내 (KRW 마켓)",
        "",
    ],
)
def test_other_notices_are_recorded_and_not_acted_on(title: str) -> None:
    (decision,) = see(detector(), notice(1, title))
    assert not decision.act
    assert decision.verdict is Verdict.IGNORED
    assert decision.reason
    assert decision.arrival is not None


def test_a_notice_that_becomes_a_listing_by_an_edit_is_not_news() -> None:
    watch = detector()
    see(watch, notice(1, "가온(GAON) 신규 거래지원 기념 이벤트"))
    assert not see(watch, notice(1))[0].act


def test_a_forgotten_notice_never_acts_again() -> None:
    watch = detector(capacity=3)
    assert see(watch, notice(1))[0].act
    for key in range(2, 6):
        see(watch, notice(key, "업비트 안내"))
    assert watch.remembered[0] == 3
    fresh_again = see(watch, notice(1, "나래(NRE) 신규 거래지원 안내 (KRW 마켓)"))[0]
    assert not fresh_again.act
    assert "forgotten" in fresh_again.reason
    after = see(watch, notice(9, "다솜(DSM) 신규 거래지원 안내 (KRW 마켓)", at=NOW + 10 * SECOND))
    assert after[0].act


def test_what_is_still_shown_is_not_forgotten() -> None:
    watch = detector(capacity=3)
    pinned = notice(1)
    see(watch, pinned)
    for key in range(2, 9):
        see(watch, notice(key, "업비트 안내"))
        assert see(watch, pinned)[0].reason == "seen before"


def test_coins_are_not_forgotten_before_their_time() -> None:
    watch = detector(capacity=2)
    assert [
        coins(d) for d in see(watch, notice(1, "가온(GAON), 나래(NRE) 신규 거래지원 안내 (KRW 마켓)"))
    ] == [["GAON", "NRE"]]
    (full,) = see(watch, notice(2, "다솜(DSM) 신규 거래지원 안내 (KRW 마켓)"))
    assert not full.act
    later = NOW + 15 * DAY_NS
    assert see(watch, notice(3, "다솜(DSM) 신규 거래지원 안내 (KRW 마켓)", at=later))[0].act


def test_memory_is_bounded() -> None:
    watch = detector(capacity=50)
    for key in range(500):
        at = NOW + key * DAY_NS
        see(watch, notice(key, f"가온(G{key}) 신규 거래지원 안내 (KRW 마켓)", at=at))
    assert watch.remembered[0] == 50
    assert watch.remembered[1] <= 50


def test_senseless_limits_are_refused() -> None:
    for options in ({"max_age_ns": 0}, {"max_age_ns": 1, "capacity": 0}, {"max_age_ns": 1, "skew_ns": -1}):
        with pytest.raises(ValueError, match="a detector needs"):
            Detector(**options)


# All rules at once. The model remembers everything, knows no LRU, and asks the rules of the module's docstring.

HOSTS = [("upbit", A), ("upbit", B), ("push", A)]
TITLES = [
    "가온(GAON) 신규 거래지원 안내 (KRW 마켓)",
    "가온(GAON), 나래(NRE) 신규 거래지원 안내 (BTC 마켓)",
    "나래(NRE) KRW 마켓 디지털 자산 추가 (거래지원 개시 시점 변경 안내)",
    "나래(NRE), 다솜(DSM) 신규 거래지원 안내 (KRW 마켓) (다솜(DSM) 거래지원 취소 안내)",
    "다솜(DSM) 거래지원 종료 안내",
    "라온(RAON) 거래지원 기념 이벤트",
    "라온(RAON) 신규 거래지원 안내 (USDT 마켓)",
]
PARSED = {title: titles.parse(title) for title in TITLES}


@dataclasses.dataclass
class Page:
    place: tuple[str, str]
    wait_s: float
    rows: list[tuple[int, int, int]]
    """(native id, index of the title, seconds that the stamp is moved)"""


_ROW = st.tuples(
    st.integers(0, 11), st.integers(0, len(TITLES) - 1), st.sampled_from([0, 0, 0, 0, -4, 3, 30])
)
_PAGE = st.builds(
    Page,
    place=st.sampled_from(HOSTS),
    wait_s=st.sampled_from([0.0, 0.1, 1.0, 1.0, 3.0, 60.0, 86_400.0 * 5]),
    rows=st.lists(_ROW, max_size=6),
)


def _published(source: str, native: int) -> int:
    """Where a native id was published: half of them while the pages are read."""
    return NOW + (native - 4) * SECOND + (500_000_000 if source == "push" else 0)


@settings(max_examples=400)
@given(st.lists(_PAGE, max_size=25), st.integers(2, 30), st.sets(st.integers(0, 11), max_size=2))
def test_any_interleaving_acts_at_most_once_and_only_on_news(
    pages: list[Page], capacity: int, known: set[int]
) -> None:
    watch = Detector(max_age_ns=5 * SECOND, capacity=capacity)
    watch.preload([(f"upbit:{native}", _published("upbit", native)) for native in sorted(known)])
    ever: set[str] = {f"upbit:{native}" for native in known}
    announced: dict[str, int] = {}
    armed: set[tuple[str, str]] = set()
    acts: set[tuple[str, str]] = set()
    acted_at: dict[str, list[int]] = {}
    now = NOW
    for page in pages:
        now += int(page.wait_s * SECOND)
        source, host = page.place
        items: list[tuple[Notice, ParsedTitle]] = []
        for native, index, moved in page.rows:
            row = notice(native, TITLES[index], source=source, host=host, at=now)
            moved_ns = moved * SECOND if capacity >= 24 else 0  # forgetting is safe while first stamps hold
            row = msgspec.structs.replace(row, first_listed_ns=_published(source, native) + moved_ns)
            items.append((row, PARSED[row.title]))
        for decision in watch.page(source, host, items, now):
            row, parsed = decision.notice, decision.parsed
            age = now - row.first_listed_ns
            new = row.key not in ever
            fresh = -2 * SECOND <= age <= 5 * SECOND
            listing = parsed.kind in {NoticeKind.NEW_LISTING, NoticeKind.MARKET_ADDITION}
            off = titles.cancelled(row.title)
            for coin in decision.to_trade:
                assert new, "acted on a key that was seen before"
                assert fresh
                assert listing
                assert page.place in armed, "acted on a seed"
                assert coin.symbol not in off
                assert (row.key, coin.symbol) not in acts
                acts.add((row.key, coin.symbol))
                assert all(now - at > watch.coin_memory_ns for at in acted_at.get(coin.symbol, []))
                acted_at.setdefault(coin.symbol, []).append(now)
            if new and fresh and listing and page.place in armed and watch.floor_ns < 0 and capacity >= 24:
                wanted = {
                    symbol
                    for symbol in parsed.symbols
                    if symbol not in off and now - announced.get(symbol, -DAY_NS * 400) > watch.coin_memory_ns
                }
                assert {coin.symbol for coin in decision.to_trade} == wanted, "missed news"
            if new and listing:
                for symbol in parsed.symbols:
                    if now - announced.get(symbol, -DAY_NS * 400) > watch.coin_memory_ns:
                        announced[symbol] = min(row.first_listed_ns, now)
            ever.add(row.key)
        armed.add(page.place)
    assert watch.remembered[0] <= capacity
