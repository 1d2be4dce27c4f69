from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.cot import GROUPS, SPREADING, Group, Market, Positions, Report, columns, market_of
from shared.rules.cot import GRACE_WEEKS, Week, combine, cot_index, net, net_share, report_week, z_score

D = Decimal
WEEK = timedelta(weeks=1)
FIRST = date(2021, 5, 4)
BIG, MICRO = "133741", "133742"
found = market_of(BIG)
assert found is not None
BITCOIN: Market = found
# Published rows of 2018 for 133741, legacy: as of, then the columns of the report.
PUBLISHED = [
    (date(2018, 4, 10), (1702, 1077, 1315, 26, 0, 0, 599, 361)),
    (date(2018, 4, 17), (2029, 1305, 1645, 42, 0, 0, 682, 342)),
    (date(2018, 4, 24), (2380, 1497, 2018, 54, 0, 0, 829, 308)),
    (date(2018, 5, 1), (1991, 1375, 1631, 27, 0, 0, 589, 333)),
    (date(2018, 5, 8), (2485, 1675, 2075, 20, 0, 0, 790, 390)),
    (date(2018, 5, 15), (2505, 1675, 2052, 26, 0, 0, 804, 427)),
]
numbers = st.floats(-1e9, 1e9).map(lambda value: value + 0.0)  # no negative zero
series = st.lists(st.none() | numbers, max_size=40)
windows = st.integers(2, 12)


def legacy(code: str, as_of: date, values: tuple[int, ...]) -> Positions:
    return Positions(report=Report.LEGACY, code=code, as_of=as_of, market="BITCOIN", values=values)


def row(code: str, as_of: date, size: int = 1) -> Positions:
    return legacy(code, as_of, tuple(size * value for value in (10, 6, 4, 1, 1, 2, 2, 3)))


def weeks_of(code: str, first: int, last: int) -> list[Positions]:
    return [row(code, FIRST + index * WEEK) for index in range(first, last + 1)]


class TestReportWeek:
    @pytest.mark.parametrize(
        ("as_of", "tuesday"),
        [
            (date(2024, 1, 2), date(2024, 1, 2)),
            (date(2023, 7, 3), date(2023, 7, 4)),
            (date(2025, 11, 10), date(2025, 11, 11)),
            (date(2018, 12, 31), date(2019, 1, 1)),
            (date(2007, 1, 3), date(2007, 1, 2)),  # a Wednesday: Tuesday was a day of mourning
            (date(2001, 12, 21), date(2001, 12, 25)),  # a Friday
        ],
    )
    def test_an_unusual_as_of_date_stands_for_the_tuesday_next_to_it(
        self, as_of: date, tuesday: date
    ) -> None:
        assert report_week(as_of) == tuesday

    @given(st.dates(date(1986, 1, 1), date(2100, 1, 1)))
    def test_is_a_tuesday_that_never_falls_and_is_its_own(self, day: date) -> None:
        week = report_week(day)
        assert week.weekday() == 1
        assert report_week(week) == week
        assert week <= report_week(day + timedelta(days=1))
        assert -timedelta(days=1) <= week - day <= timedelta(days=5)


class TestCombine:
    def test_sums_coins_not_contracts(self) -> None:
        big, micro = (10, 6, 4, 1, 1, 2, 2, 3), (1000, 700, 100, 50, 0, 800, 250, 50)
        (week,) = combine(BITCOIN, [legacy(BIG, FIRST, big), legacy(MICRO, FIRST, micro)])
        assert week.complete
        assert week.open_interest == D(150)  # 10 x 5 + 1000 x 0.1
        assert week.long[Group.NONCOMMERCIAL] == D(100)
        assert week.short[Group.NONCOMMERCIAL] == D(30)
        assert week.spread == {Group.NONCOMMERCIAL: D(10)}
        assert net(week, Group.NONCOMMERCIAL) == D(70)
        assert net_share(week, Group.NONCOMMERCIAL) == pytest.approx(46.6666667)

    def test_a_contract_did_not_exist_before_its_first_row(self) -> None:
        weeks = combine(BITCOIN, [*weeks_of(BIG, 0, 5), *weeks_of(MICRO, 3, 5)])
        assert [week.complete for week in weeks] == [True] * 6
        assert weeks[2].open_interest == D(50)
        assert weeks[3].open_interest == D(51)

    @pytest.mark.parametrize("code", [BIG, MICRO])
    def test_a_missing_row_in_between_makes_a_gap_not_a_smaller_sum(self, code: str) -> None:
        missing = FIRST + 2 * WEEK
        rows = [*weeks_of(BIG, 0, 4), *weeks_of(MICRO, 0, 4)]
        weeks = combine(BITCOIN, [each for each in rows if (each.code, each.as_of) != (code, missing)])
        assert [week.complete for week in weeks] == [True, True, False, True, True]
        assert weeks[2] == Week(as_of=missing, complete=False)

    def test_a_week_without_any_row_is_a_gap_of_its_own(self) -> None:
        weeks = combine(BITCOIN, [*weeks_of(BIG, 0, 1), *weeks_of(BIG, 4, 4)])
        assert [week.as_of for week in weeks] == [FIRST + index * WEEK for index in range(5)]
        assert [week.complete for week in weeks] == [True, True, False, False, True]

    def test_the_newest_week_is_a_gap_while_a_row_of_it_is_still_missing(self) -> None:
        weeks = combine(BITCOIN, [*weeks_of(BIG, 0, 3), *weeks_of(MICRO, 0, 2)])
        assert [week.complete for week in weeks] == [True, True, True, False]

    def test_a_micro_that_stays_away_has_ended(self) -> None:
        weeks = combine(BITCOIN, [*weeks_of(BIG, 0, 9), *weeks_of(MICRO, 0, 2)])
        assert [week.complete for week in weeks] == [True] * 3 + [False] * GRACE_WEEKS + [True] * 3
        assert weeks[9].open_interest == D(50)

    def test_the_micro_alone_is_never_the_market(self) -> None:
        weeks = combine(BITCOIN, [*weeks_of(BIG, 2, 3), *weeks_of(MICRO, 0, 12)])
        assert [week.complete for week in weeks] == [False, False, True, True, *[False] * 9]
        assert not any(week.complete for week in combine(BITCOIN, weeks_of(MICRO, 0, 2)))

    def test_a_monday_before_a_holiday_is_the_week_of_its_tuesday(self) -> None:
        days = [date(2023, 6, 27), date(2023, 7, 3), date(2023, 7, 11)]
        weeks = combine(BITCOIN, [row(BIG, day) for day in days])
        assert [week.as_of for week in weeks] == days
        assert all(week.complete for week in weeks)

    def test_of_two_rows_in_one_week_the_later_counts(self) -> None:
        rows = [row(BIG, date(1997, 12, 23), 3), row(BIG, date(1997, 12, 19), 2)]
        (week,) = combine(BITCOIN, rows)
        assert (week.as_of, week.open_interest) == (date(1997, 12, 23), D(150))

    def test_other_contracts_are_left_out(self) -> None:
        assert combine(BITCOIN, []) == []
        assert combine(BITCOIN, [row("133LM1", FIRST)]) == []

    def test_two_reports_cannot_be_summed(self) -> None:
        tff = Positions(
            report=Report.TFF, code=BIG, as_of=FIRST, market="BITCOIN", values=(0,) * len(columns(Report.TFF))
        )
        with pytest.raises(ValueError, match="two reports"):
            combine(BITCOIN, [row(BIG, FIRST), tff])

    @given(st.sets(st.tuples(st.sampled_from([BIG, MICRO]), st.integers(0, 30)), min_size=1), st.randoms())
    def test_order_does_not_matter_and_weeks_follow_each_other(
        self, keys: set[tuple[str, int]], random: Random
    ) -> None:
        rows = [row(code, FIRST + index * WEEK, index + 1) for code, index in sorted(keys)]
        weeks = combine(BITCOIN, rows)
        random.shuffle(rows)
        assert combine(BITCOIN, rows) == weeks
        indices = [index for _, index in keys]
        assert [week.as_of for week in weeks] == [
            FIRST + index * WEEK for index in range(min(indices), max(indices) + 1)
        ]
        for week in weeks:
            index = (week.as_of - FIRST) // WEEK
            if not week.complete:
                assert week.open_interest is None
                continue
            there = [code for code, each in keys if each == index]
            units = {BIG: D(5), MICRO: D("0.1")}
            assert BIG in there
            assert week.open_interest == sum(10 * (index + 1) * units[code] for code in there)

    @given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 14), min_size=1, max_size=5))
    def test_net_positions_of_all_groups_cancel_out(self, drawn: list[tuple[int, ...]]) -> None:
        """Longs and shorts are equal in number: so are they in coins, whatever is summed."""
        rows = []
        for index, values in enumerate(drawn):
            *most, last = values
            named = dict(zip(columns(Report.TFF)[1:], [*most, last], strict=True))
            outright = {
                side: sum(named[f"{group}_{side}"] for group in GROUPS[Report.TFF])
                for side in ("long", "short")
            }
            short_side = "long" if outright["long"] < outright["short"] else "short"
            named[f"nonreportable_{short_side}"] += abs(outright["long"] - outright["short"])
            spreads = sum(named[f"{group}_spread"] for group in SPREADING[Report.TFF])
            row_values = (
                max(outright.values()) + spreads,
                *(named[name] for name in columns(Report.TFF)[1:]),
            )
            day = FIRST + index * WEEK
            rows.append(Positions(report=Report.TFF, code=BIG, as_of=day, market="", values=row_values))
        for week in combine(BITCOIN, rows):
            assert sum(net(week, group) for group in GROUPS[Report.TFF]) == 0
            shares = [net_share(week, group) for group in GROUPS[Report.TFF]]
            assert all(share is None or -100 <= share <= 100 for share in shares)


def test_a_gap_has_no_net_position() -> None:
    gap = Week(as_of=FIRST, complete=False)
    assert net_share(gap, Group.LEVERAGED) is None
    with pytest.raises(ValueError, match="2021-05-04 is a gap"):
        net(gap, Group.LEVERAGED)


def test_nothing_open_has_no_share() -> None:
    (week,) = combine(BITCOIN, [legacy(BIG, FIRST, (0,) * 8)])
    assert net(week, Group.COMMERCIAL) == 0
    assert net_share(week, Group.COMMERCIAL) is None


class TestIndex:
    def test_published_weeks_of_bitcoin_by_hand(self) -> None:
        weeks = combine(BITCOIN, [legacy(BIG, as_of, values) for as_of, values in PUBLISHED])
        nets = [float(net(week, Group.NONCOMMERCIAL)) for week in weeks]
        assert nets == [-1190, -1700, -2605, -1280, -2000, -1885]  # 5 x (1077 - 1315), ...
        assert cot_index(nets, 4) == [
            *(None, None, None),
            pytest.approx(100 * (2605 - 1280) / (2605 - 1190)),  # 93.64
            pytest.approx(100 * (2605 - 2000) / (2605 - 1280)),  # 45.66
            pytest.approx(100 * (2605 - 1885) / (2605 - 1280)),  # 54.34
        ]
        shares = [net_share(week, Group.NONCOMMERCIAL) for week in weeks]
        assert shares == pytest.approx(
            [-13.98355, -16.75702, -21.89076, -12.85786, -16.09658, -15.04990], abs=1e-5
        )
        assert cot_index(shares, 5)[4:] == pytest.approx([64.14528, 75.73270], abs=1e-4)

    def test_highest_is_100_and_lowest_0(self) -> None:
        assert cot_index([1.0, 2.0, 3.0, 0.0, 1.5], 3) == [None, None, 100.0, 0.0, 50.0]

    def test_a_window_that_is_not_full_gives_none(self) -> None:
        assert cot_index([1.0, 2.0], 3) == [None, None]
        assert cot_index([], 26) == []

    def test_a_hole_gives_none_until_it_has_left_the_window(self) -> None:
        assert cot_index([1.0, None, 3.0, 2.0, 4.0], 2) == [None, None, None, 0.0, 100.0]

    def test_a_flat_window_gives_none(self) -> None:
        assert cot_index([2.0, 2.0, 2.0, 3.0], 3) == [None, None, None, 100.0]

    @pytest.mark.parametrize("window", [-1, 0, 1])
    def test_a_window_without_a_range_is_a_mistake(self, window: int) -> None:
        with pytest.raises(ValueError, match="two weeks at least"):
            cot_index([1.0], window)

    @given(series, windows)
    def test_lies_between_0_and_100_and_follows_the_definition(
        self, values: list[float | None], window: int
    ) -> None:
        result = cot_index(values, window)
        assert len(result) == len(values)
        for place, index in enumerate(result):
            seen = values[max(0, place + 1 - window) : place + 1]
            known = [value for value in seen if value is not None]
            assert (index is None) == (len(known) < window or min(known) == max(known))
            if index is not None:
                assert 0 <= index <= 100
                if known[-1] == max(known):
                    assert index == 100
                if known[-1] == min(known):
                    assert index == 0

    @given(series, windows, st.integers(0, 40))
    def test_no_week_is_changed_by_what_comes_after_it(
        self, values: list[float | None], window: int, cut: int
    ) -> None:
        assert cot_index(values[:cut], window) == cot_index(values, window)[:cut]

    @given(
        st.lists(st.integers(-1000, 1000), max_size=40),
        windows,
        st.integers(1, 100),
        st.integers(-1000, 1000),
    )
    def test_neither_the_unit_nor_the_level_matters(
        self, values: list[int], window: int, unit: int, level: int
    ) -> None:
        moved = [float(unit * value + level) for value in values]
        assert cot_index(moved, window) == pytest.approx(
            cot_index([float(value) for value in values], window)
        )

    @given(st.lists(st.integers(-1000, 1000), max_size=40), windows)
    def test_the_other_side_of_the_market_mirrors_it(self, values: list[int], window: int) -> None:
        index = cot_index([float(value) for value in values], window)
        mirrored = cot_index([float(-value) for value in values], window)
        assert mirrored == [None if each is None else pytest.approx(100 - each) for each in index]


class TestScore:
    def test_by_hand(self) -> None:
        baseline = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]  # mean 5, squares sum to 32
        assert z_score([*baseline, 9.0], 8) == [*[None] * 8, pytest.approx(4 / (32 / 7) ** 0.5)]

    def test_the_week_itself_is_not_in_its_baseline(self) -> None:
        calm = [1.0, -1.0] * 26
        (score,) = z_score([*calm, 1000.0])[52:]
        assert score == pytest.approx(1000 / (52 / 51) ** 0.5)

    def test_needs_a_full_baseline_that_moves(self) -> None:
        assert z_score([1.0, 2.0, 3.0], 3) == [None, None, None]
        assert z_score([1.0, 1.0, 5.0], 2) == [None, None, None]
        assert z_score([1.0, None, 2.0, 4.0, 3.0], 2) == [None, None, None, None, pytest.approx(0.0)]
        assert z_score([1.0, 2.0, None], 2) == [None, None, None]

    @pytest.mark.parametrize("window", [0, 1])
    def test_a_window_without_a_deviation_is_a_mistake(self, window: int) -> None:
        with pytest.raises(ValueError, match="two weeks at least"):
            z_score([1.0], window)

    @given(st.lists(st.none() | st.integers(-1000, 1000).map(float), max_size=40), windows)
    def test_equals_mean_and_sample_deviation_of_the_weeks_before(
        self, values: list[float | None], window: int
    ) -> None:
        result = z_score(values, window)
        assert len(result) == len(values)
        for place, (value, score) in enumerate(zip(values, result, strict=True)):
            before = [each for each in values[max(0, place - window) : place] if each is not None]
            if value is None or len(before) < window or len(set(before)) == 1:
                assert score is None
            else:
                assert score == pytest.approx((value - fmean(before)) / stdev(before))

    @given(
        st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=40), windows, st.integers(0, 40)
    )
    def test_no_week_is_changed_by_what_comes_after_it(
        self, values: list[float], window: int, cut: int
    ) -> None:
        assume(cut <= len(values))
        assert z_score(values[:cut], window) == z_score(values, window)[:cut]
