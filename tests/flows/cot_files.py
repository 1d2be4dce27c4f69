"""COT rows for tests, and the same rows as the CFTC prints them: text files with all their columns, and Socrata's JSON.

Written from the layout notes alone (``annual.txt``: 129 columns; ``FinFutYY.txt``: 87), on purpose without a look at
the names that the readers know.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from hypothesis import strategies as st

from shared.domain.cot import Positions, Report

CME = "CHICAGO MERCANTILE EXCHANGE"
NAMES = {
    "133741": f"BITCOIN - {CME}",
    "133742": f"MICRO BITCOIN - {CME}",
    "146021": f"ETHER CASH SETTLED - {CME}",
    "099741": f"EURO FX - {CME}",
    "098662": "USD INDEX - ICE FUTURES U.S.",
    "13874+": f"S&P 500 Consolidated - {CME}",
}

BITCOIN = Positions(
    report=Report.LEGACY,
    code="133741",
    as_of=date(2026, 9, 22),
    market=NAMES["133741"],
    values=(22315, 17658, 14902, 3307, 66, 3175, 1284, 931),
)
"""As published."""
EURO = Positions(
    report=Report.TFF,
    code="099741",
    as_of=date(2024, 6, 11),
    market=NAMES["099741"],
    values=(
        712894,
        20083,
        335166,
        29824,
        408140,
        135021,
        33742,
        79583,
        80975,
        15261,
        28003,
        13348,
        4288,
        93970,
        65269,
    ),
)
"""As published."""


def row(report: Report, code: str = "133741", as_of: date = date(2026, 9, 22), size: int = 0) -> Positions:
    """A row that adds up; another ``size`` is another row."""
    model = BITCOIN if report is Report.LEGACY else EURO
    values = list(model.values)
    for place in (0, len(values) - 2, len(values) - 1):  # open interest and both sides of the small ones
        values[place] += size
    return Positions(
        report=report, code=code, as_of=as_of, market=NAMES.get(code, f"{code} - {CME}"), values=tuple(values)
    )


def weeks(report: Report, codes: Sequence[str], last: date, count: int) -> list[Positions]:
    """``count`` weeks to ``last`` of every code, oldest first, every row different."""
    return [
        row(report, code, last - timedelta(weeks=back), size=100 * back + place)
        for back in reversed(range(count))
        for place, code in enumerate(codes)
    ]


@st.composite
def rows(draw: st.DrawFn, report: Report) -> Positions:
    """Any row that adds up, from 1986 to 2026."""
    open_interest = draw(st.integers(0, 5_000_000))
    spreads = [draw(st.integers(0, 300_000)) for _ in range(1 if report is Report.LEGACY else 4)]
    groups = 3 if report is Report.LEGACY else 5

    def share() -> list[int]:
        cuts = sorted(draw(st.lists(st.integers(0, open_interest), min_size=groups - 1, max_size=groups - 1)))
        return [high - low for low, high in zip([0, *cuts], [*cuts, open_interest], strict=True)]

    longs, shorts = share(), share()
    values = [open_interest + sum(spreads)]
    for place in range(groups):
        values += [longs[place], shorts[place], *spreads[place : place + 1]]
    code = draw(st.sampled_from(sorted(NAMES)) | st.from_regex(r"[0-9][0-9A-Z]{4}[0-9A-Z+]", fullmatch=True))
    return Positions(
        report=report,
        code=code,
        as_of=draw(st.dates(date(1986, 1, 1), date(2026, 11, 17))),
        market=NAMES.get(code, f"{code} - SOME BOARD OF TRADE, INC."),
        values=tuple(values),
    )


def _block(block: str) -> list[str]:
    """Ten positions; one heading of the first block begins with a space, in every file."""
    space = " " if block == "All" else ""
    return [
        f"Open Interest ({block})",
        *(f"Noncommercial Positions-{side} ({block})" for side in ("Long", "Short", "Spreading")),
        *(f"Commercial Positions-{side} ({block})" for side in ("Long", "Short")),
        f"{space}Total Reportable Positions-Long ({block})",
        f"Total Reportable Positions-Short ({block})",
        *(f"Nonreportable Positions-{side} ({block})" for side in ("Long", "Short")),
    ]


def _per_group(begin: str, block: str, *, small: bool) -> list[str]:
    parts = [
        "Noncommercial-Long",
        "Noncommercial-Short",
        "Noncommercial-Spreading",
        "Commercial-Long",
        "Commercial-Short",
    ]
    parts += ["Total Reportable-Long", "Total Reportable-Short"]
    parts += ["Nonreportable-Long", "Nonreportable-Short"] if small else []
    return [f"{begin}{part} ({block})" for part in parts]


def _concentration(block: str) -> list[str]:
    """With the CFTC's own uneven spaces."""
    found = [
        f"Concentration-{kind} LT ={size} TDR-{side} ({block})"
        for kind in ("Gross", "Net")
        for size in (4, 8)
        for side in ("Long", "Short")
    ]
    if block == "All":
        found[0] = "Concentration-Gross LT = 4 TDR-Long (All)"
    if block == "Other":
        found[1] = "Concentration-Gross LT =4 TDR-Short(Other)"
        found[3] = "Concentration-Gross LT =8 TDR-Short(Other)"
    return found


LEGACY_HEADINGS = [
    "Market and Exchange Names",
    "As of Date in Form YYMMDD",
    "As of Date in Form YYYY-MM-DD",
    "CFTC Contract Market Code",
    "CFTC Market Code in Initials",
    "CFTC Region Code",
    "CFTC Commodity Code",
    *(heading for block in ("All", "Old", "Other") for heading in _block(block)),
    "Change in Open Interest (All)",
    *_per_group("Change in ", "All", small=True),
    *(
        heading
        for block, interest in (("All", "(OI) (All)"), ("Old", "(OI)(Old)"), ("Other", "(OI) (Other)"))
        for heading in (f"% of Open Interest {interest}", *_per_group("% of OI-", block, small=True))
    ),
    *(
        heading
        for block in ("All", "Old", "Other")
        for heading in (f"Traders-Total ({block})", *_per_group("Traders-", block, small=False))
    ),
    *(heading for block in ("All", "Old", "Other") for heading in _concentration(block)),
    "Contract Units",
    "CFTC Contract Market Code (Quotes)",
    "CFTC Market Code in Initials (Quotes)",
    "CFTC Commodity Code (Quotes)",
]

_TFF_GROUPS = ("Dealer", "Asset_Mgr", "Lev_Money", "Other_Rept")
_TFF_PARTS = [f"{group}{{}}_{side}" for group in _TFF_GROUPS for side in ("Long", "Short", "Spread")]
_TFF_TOTALS = ["Tot_Rept{}_Long", "Tot_Rept{}_Short", "NonRept{}_Long", "NonRept{}_Short"]
TFF_HEADINGS = [
    "Market_and_Exchange_Names",
    "As_of_Date_In_Form_YYMMDD",
    "Report_Date_as_YYYY-MM-DD",
    "CFTC_Contract_Market_Code",
    "CFTC_Market_Code",
    "CFTC_Region_Code",
    "CFTC_Commodity_Code",
    "Open_Interest_All",
    *(f"{part}_All".format("_Positions") for part in (*_TFF_PARTS, *_TFF_TOTALS)),
    "Change_in_Open_Interest_All",
    *(f"Change_in_{part}_All".format("") for part in (*_TFF_PARTS, *_TFF_TOTALS)),
    "Pct_of_Open_Interest_All",
    *(f"Pct_of_OI_{part}_All".format("") for part in (*_TFF_PARTS, *_TFF_TOTALS)),
    "Traders_Tot_All",
    *(f"Traders_{part}_All".format("") for part in (*_TFF_PARTS, *_TFF_TOTALS[:2])),
    *(
        f"Conc_{kind}_LE_{size}_TDR_{side}_All"
        for kind in ("Gross", "Net")
        for size in (4, 8)
        for side in ("Long", "Short")
    ),
    "Contract_Units",
    "CFTC_Contract_Market_Code_Quotes",
    "CFTC_Market_Code_Quotes",
    "CFTC_Commodity_Code_Quotes",
    "CFTC_SubGroup_Code",
    "FutOnly_or_Combined",
]
HEADINGS = {Report.LEGACY: LEGACY_HEADINGS, Report.TFF: TFF_HEADINGS}


def _begin(one: Positions) -> list[str]:
    return [
        one.market,
        one.as_of.strftime("%y%m%d"),
        one.as_of.isoformat(),
        one.code,
        "CME ",
        "00",
        f"{one.code[:3]} ",
    ]


def _end(one: Positions) -> list[str]:
    return ["(CONTRACTS OF 5,000 BUSHELS)", one.code, "CME ", f"{one.code[:3]} "]


def cells(one: Positions) -> list[str]:
    """The cells of one line of a text file, numbers padded as there."""
    numbers = list(one.values)
    if one.report is Report.LEGACY:
        interest, *_, small_long, small_short = one.values
        block = [*numbers[:6], interest - small_long, interest - small_short, *numbers[6:]]
        crop_years = [number // 2 for number in block]
        rest: list[object] = [
            *block,
            *crop_years,
            *([0] * 10),
            *([0] * 10),
            *(["100.0"] * 30),
            *(["."] * 24),
            *(["50.0"] * 24),
        ]
        return _begin(one) + [f"{number:>8}" for number in rest] + _end(one)
    interest, small_long, small_short = one.values[0], one.values[-2], one.values[-1]
    block = [*numbers[:13], interest - small_long, interest - small_short, *numbers[13:]]
    rest = [*block, *([0] * 17), *(["100.0"] * 17), 28, *(["."] * 14), *(["50.0"] * 8)]
    return _begin(one) + [f"{number:>8}" for number in rest] + _end(one) + ["F10", "FutOnly"]


def _line(cells: Iterable[str]) -> str:
    """Text that is no number in quotes, as in the CFTC's files."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def text(rows: Iterable[Positions], *, headings: bool = True, end: str = "\n") -> bytes:
    """A text file; all rows of one report, at least one."""
    rows = list(rows)
    lines = [_line(HEADINGS[rows[0].report])] if headings else []
    lines += [_line(cells(one)) for one in rows]
    return "".join(f"{line}{end}" for line in lines).encode()


def table(headings: Sequence[str], lines: Iterable[Sequence[str]], end: str = "\n") -> bytes:
    return "".join(f"{_line(line)}{end}" for line in [headings, *lines]).encode()


def derived(rows: Iterable[Positions]) -> bytes:
    """The nine columns in which people keep one legacy market; no code, no name."""
    headings = [
        "as_of",
        "open_interest",
        "nc_long",
        "nc_short",
        "nc_spread",
        "c_long",
        "c_short",
        "nr_long",
        "nr_short",
    ]
    return table(headings, [[one.as_of.isoformat(), *map(str, one.values)] for one in rows])


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


_LEGACY_FIELDS = (
    "open_interest_all",
    "noncomm_positions_long_all",
    "noncomm_positions_short_all",
    "noncomm_postions_spread_all",
    "comm_positions_long_all",
    "comm_positions_short_all",
    "nonrept_positions_long_all",
    "nonrept_positions_short_all",
)
_TFF_FIELDS = (
    "open_interest_all",
    *(f"dealer_positions_{side}_all" for side in ("long", "short", "spread")),
    *(f"asset_mgr_positions_{side}" for side in ("long", "short", "spread")),
    *(f"lev_money_positions_{side}" for side in ("long", "short", "spread")),
    *(f"other_rept_positions_{side}" for side in ("long", "short", "spread")),
    "nonrept_positions_long_all",
    "nonrept_positions_short_all",
)
FIELDS = {Report.LEGACY: _LEGACY_FIELDS, Report.TFF: _TFF_FIELDS}
"""Socrata's names of the position columns, slips included."""


def socrata(one: Positions, **fields: object) -> dict[str, object]:
    """The row as Socrata answers it; ``fields`` are set besides, ``None`` leaves one away."""
    interest, small_long, small_short = one.values[0], one.values[-2], one.values[-1]
    found: dict[str, object] = {
        "id": f"{one.as_of:%y%m%d}{one.code}F",
        "market_and_exchange_names": one.market,
        "report_date_as_yyyy_mm_dd": f"{one.as_of.isoformat()}T00:00:00.000",
        "yyyy_report_week_ww": f"{one.as_of:%Y} Report Week {one.as_of:%V}",
        "contract_market_name": one.market.partition(" - ")[0],
        "cftc_contract_market_code": one.code,
        "cftc_market_code": "CME",
        "contract_units": "(5 Bitcoins)",
        **dict(zip(FIELDS[one.report], map(str, one.values), strict=True)),
        "tot_rept_positions_long_all": str(interest - small_long),
        "tot_rept_positions_short": str(interest - small_short),
        "change_in_open_interest_all": "-12",
        "pct_of_open_interest_all": "100",
        "futonly_or_combined": "FutOnly",
    }
    return {name: value for name, value in (found | fields).items() if value is not None}


def from_socrata(report: Report, fields: Mapping[str, object]) -> Positions:
    """Back again, for the yearly files of the test server."""
    return Positions(
        report=report,
        code=str(fields["cftc_contract_market_code"]),
        as_of=date.fromisoformat(str(fields["report_date_as_yyyy_mm_dd"])[:10]),
        market=str(fields["market_and_exchange_names"]),
        values=tuple(int(str(fields[name])) for name in FIELDS[report]),
    )
