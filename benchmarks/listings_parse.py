"""What it costs to read a page of notices, against ``json.loads`` of the same bytes.

``python -m benchmarks.listings_parse`` prints one JSON object a line. The ratios matter, not the microseconds: they
hold on any machine. The titles are invented and have the forms of real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from shared import clock
from trader.listings import titles, upbit_page
from trader.listings.detector import Detector

TITLES = [
    "가온(GAON) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)",
    "가온(GAON), 나래(NRE) 신규 거래지원 안내 (BTC, USDT 마켓) (NRE 거래지원 개시 시점 연기 안내)",
    "BTC, USDT 마켓 신규 거래지원 안내 (DSM, RAON, MARU, BYUL)",
    "가온(GAON)(KRW, BTC 마켓), 나래(NRE)(BTC 마켓) 신규 거래지원 안내",
    "다솜(DSM) KRW, USDT 마켓 디지털 자산 추가",
    "KRW 마켓 디지털 자산 추가 (RAON)",
    "마루(MARU) 거래지원 종료 안내 (9/14 15:00)",
    "별(BYUL) 거래 유의 종목 지정 안내",
    "가온(GAON) 입출금 일시 중단 안내 (완료)",
    "네트워크 업그레이드에 따른 나래(NRE) 입출금 일시 중단 안내 (04/28 03:00 ~)",
    "다솜(DSM) 거래하고, 총 상금 1 BTC 받아가세요! DSM TOP 100 트레이딩 이벤트!",
    "유통량 계획표 변경 안내 : 라온(RAON)",
    "8월 2주차 GAON 에어드랍 지급 안내",
    "디지털 자산 실사보고서 결과 공개 (2026년 08월 01일 기준)",
    "거래소 사칭 피싱메일 주의 안내",
    "은행 점검에 따른 원화 입출금 일시 중단 안내",
    "업비트 Open API 변경 안내",
    "Market Support for Gaon(GAON) (KRW, BTC, USDT Market)",
    "Temporary Suspension of GAON, NRE Digital Asset Withdrawals due to Wallet Maintenance (Completed)",
    "Notice on Termination of Trading Support for Maru(MARU) (8/25 15:00)",
]


def page() -> bytes:
    """One page of 20 rows as it comes over the wire."""
    rows = [
        {
            "listed_at": "2026-03-02T11:00:00+09:00",
            "first_listed_at": "2026-03-02T11:00:00+09:00",
            "id": 7000 - number,
            "uuid": str(898_944_907 + number),
            "title": title,
            "category": "거래",
            "need_new_badge": False,
            "need_update_badge": False,
        }
        for number, title in enumerate(TITLES)
    ]
    data = {"total_pages": 192, "total_count": 3840, "notices": rows, "fixed_notices": []}
    return json.dumps({"success": True, "data": data}, ensure_ascii=False).encode()


def best_us(run: Callable[[], object], rounds: int = 60) -> float:
    """Microseconds of the fastest round: the one that was disturbed least."""
    fastest = 1 << 62
    for _ in range(rounds):
        began = clock.monotonic_ns()
        run()
        fastest = min(fastest, clock.monotonic_ns() - began)
    return fastest / clock.MICROSECOND


def measure() -> dict[str, float]:
    """Microseconds and ratios to the baseline (``json.loads`` of the page)."""
    body = page()
    now_ns = clock.now_ns()
    detector = Detector(max_age_ns=5 * clock.SECOND)

    def whole() -> None:
        notices = upbit_page.read(body, "bench", now_ns)
        detector.page("upbit", "bench", [(row, titles.parse_cached(row.title)) for row in notices], now_ns)

    baseline = best_us(lambda: json.loads(body))
    parse_all = best_us(lambda: [titles.parse(title) for title in TITLES])
    read = best_us(lambda: upbit_page.read(body, "bench", now_ns))
    known_page = best_us(whole)
    return {
        "baseline_json_loads_us": baseline,
        "parse_title_us": parse_all / len(TITLES),
        "parse_20_titles_ratio": parse_all / baseline,
        "read_page_us": read,
        "read_page_ratio": read / baseline,
        "known_page_us": known_page,
        "known_page_ratio": known_page / baseline,
    }


def main() -> None:
    for name, value in measure().items():
        print(json.dumps({"name": name, "value": round(value, 2)}))


if __name__ == "__main__":
    main()
