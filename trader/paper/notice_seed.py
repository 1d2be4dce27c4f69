"""Invented older notices, so that a board is not empty and a client meets the past before news.

Coins and titles are made up. Ages are seconds before the board was made; ``edited_age_s`` stamps
``listed_at`` anew, which puts an old notice on top of the first page, as the site does.
"""

from __future__ import annotations

from typing import NamedTuple

MINUTE = 60
HOUR = 3600
DAY = 86_400


class Seed(NamedTuple):
    id: int
    age_s: int
    title: str
    category: str
    edited_age_s: int | None = None
    fixed: bool = False


SEED = (
    Seed(2895, 900 * DAY, "디지털 자산 거래 시 유의사항 안내", "notice", fixed=True),
    Seed(6382, 31 * DAY, "청람(CHRM) 거래 유의 종목 지정 안내", "trade"),
    Seed(6384, 29 * DAY, "솔바람(SOLB) 신규 거래지원 안내 (BTC, USDT 마켓)", "trade"),
    Seed(6387, 27 * DAY, "바람골 네트워크 하드포크에 따른 입출금 일시 중단 안내 (BRGL)", "dtw"),
    Seed(6389, 24 * DAY, "가을맞이 첫 입금 이벤트 안내", "event"),
    Seed(6391, 22 * DAY, "정기 시스템 점검 안내 (새벽 2시 ~ 4시)", "maintenance"),
    Seed(6394, 19 * DAY, "누리온(NURI) KRW 마켓 디지털 자산 추가", "trade"),
    Seed(6396, 17 * DAY, "옛길(YETG) 거래지원 종료 안내 (12/9 15:00)", "trade"),
    Seed(6399, 15 * DAY, "스테이킹 보상 지급 주기 변경 안내", "staking"),
    Seed(6401, 12 * DAY, "미르(MIRR), 다솜(DSOM) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)", "trade"),
    Seed(6404, 10 * DAY, "너울(NEUL) 입출금 가능 네트워크 추가 안내", "dtw"),
    Seed(6406, 8 * DAY, "해오름(HAEO) 유통량 계획 변경 안내", "digital_asset"),
    Seed(6409, 6 * DAY, "모바일 앱 새 버전 배포 안내", "notice"),
    Seed(6413, 5 * DAY, "청람(CHRM) 거래 유의 종목 지정 해제 안내", "trade"),
    Seed(
        6415,
        3 * DAY,
        "아라온(ARAO) 신규 거래지원 안내 (KRW, USDT 마켓) (거래지원 개시 시점 변경 안내)",
        "trade",
        edited_age_s=25 * MINUTE,
    ),
    Seed(6418, 2 * DAY, "거래지원 기념 누리온(NURI) 나눔 이벤트 안내", "event"),
    Seed(6420, 30 * HOUR, "한결(HGYL) 지갑 점검에 따른 입출금 일시 중단 안내", "dtw", edited_age_s=20 * HOUR),
    Seed(6421, 9 * HOUR, "BTC, USDT 마켓 신규 거래지원 안내 (BORA9, SAEB)", "trade"),
    Seed(6423, 5 * HOUR, "업비트 사칭 사이트 주의 안내", "notice"),
    Seed(6424, 3 * HOUR, "온새미(ONSM) 신규 거래지원 안내 (KRW 마켓)", "trade"),
    Seed(6426, 80 * MINUTE, "서버 이전에 따른 접속 지연 안내", "maintenance"),
)
