"""The title grammar on invented coins. Every form that was seen in ten years of titles, and its variants."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.notice import NoticeKind, ParsedTitle
from trader.listings import titles

NEW, ADDED = NoticeKind.NEW_LISTING, NoticeKind.MARKET_ADDITION
DELISTING, CAUTION = NoticeKind.DELISTING, NoticeKind.CAUTION
MAINTENANCE, EVENT, OTHER = NoticeKind.MAINTENANCE, NoticeKind.EVENT, NoticeKind.OTHER


def parsed(title: str) -> tuple[NoticeKind, str, str]:
    """Kind, symbols and markets, short to write down."""
    result = titles.parse(title)
    return result.kind, " ".join(result.symbols), " ".join(result.markets)


KOREAN_NEW = [
    ("가온(GAON) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)", "GAON", "KRW BTC USDT"),
    ("가온(GAON) 신규 거래지원 안내 (USDT 마켓)", "GAON", "USDT"),
    ("가온(GAON), 나래코인(NARAE) 신규 거래지원 안내 (BTC, USDT 마켓)", "GAON NARAE", "BTC USDT"),
    ("가온(GAON), 나래(NRE), 다솜(DSM) 신규 거래지원 안내 (KRW 마켓)", "GAON NRE DSM", "KRW"),
    ("가온(GAON) 및 나래(NRE) 신규 거래지원 안내 (KRW 마켓)", "GAON NRE", "KRW"),
    ("가온(GAON)·나래(NRE) 신규 거래지원 안내 (KRW 마켓)", "GAON NRE", "KRW"),
    ("가온(GAON) / 나래(NRE) 신규 거래지원 안내 (KRW 마켓)", "GAON NRE", "KRW"),
    # spacing
    ("가온(GAON) 신규 거래 지원 안내 (KRW, BTC 마켓)", "GAON", "KRW BTC"),
    ("가온(GAON) 신규거래지원 안내 (KRW, BTC 마켓)", "GAON", "KRW BTC"),
    ("가온(GAON) 신규거래지원안내(KRW,BTC마켓)", "GAON", "KRW BTC"),
    ("가온(GAON)신규 거래지원 안내 (KRW , BTC 마켓)", "GAON", "KRW BTC"),
    ("가온 (GAON)  신규  거래지원  안내  (KRW, BTC, USDT  마켓)", "GAON", "KRW BTC USDT"),
    ("  가온( GAON ) 신규 거래지원 안내 ( KRW, BTC 마켓 )  ", "GAON", "KRW BTC"),
    ("가온(GAON),나래(NRE) 신규 거래지원 안내 (KRW 마켓)", "GAON NRE", "KRW"),
    ("가온(GAON) 신규 거래지원 안내", "GAON", ""),
    ("가온(GAON) 신규 거래지원 (KRW 마켓)", "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 개시 안내 (KRW 마켓)", "GAON", "KRW"),
    ("가온(GAON) 디지털 자산 신규 거래지원 안내 (KRW 마켓)", "GAON", "KRW"),
    ("가온(GAON) 신규 디지털 자산 거래지원 안내 (KRW 마켓)", "GAON", "KRW"),
    # markets inside the sentence
    ("가온(GAON) KRW, BTC 마켓 신규 거래지원 안내", "GAON", "KRW BTC"),
    ("가온(GAON) 원화 마켓 신규 거래지원 안내", "GAON", "KRW"),
    ("가온(GAON) 원화마켓 거래지원 안내", "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 안내 (원화, BTC 마켓)", "GAON", "KRW BTC"),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓, BTC 마켓)", "GAON", "KRW BTC"),
    ("가온(GAON) 신규 거래지원 안내 (KRW·BTC·USDT 마켓)", "GAON", "KRW BTC USDT"),
    ("가온(GAON) 신규 거래지원 안내 (KRW/BTC 마켓)", "GAON", "KRW BTC"),
    ("가온(GAON) 신규 거래지원 안내 (KRW, BTC)", "GAON", "KRW BTC"),
    ("가온(GAON) 신규 거래지원 안내 (BTC)", "GAON", "BTC"),
    ("가온(GAON)(KRW, BTC 마켓) 신규 거래지원 안내", "GAON", "KRW BTC"),
    # markets first
    ("BTC, USDT 마켓 신규 거래지원 안내 (GAON, NRE, DSM, RAON)", "GAON NRE DSM RAON", "BTC USDT"),
    ("BTC, USDT 마켓 신규 거래지원 안내 (GAON)", "GAON", "BTC USDT"),
    ("BTC, USDT 마켓 신규 거래지원 안내(GAON, NRE)", "GAON NRE", "BTC USDT"),
    ("KRW, BTC, USDT 마켓 신규 거래지원 안내 (가온(GAON), 나래(NRE))", "GAON NRE", "KRW BTC USDT"),
    ("USDT 마켓 신규 거래지원 안내 (GAON·NRE)", "GAON NRE", "USDT"),
    ("BTC 마켓 신규 거래지원 안내 : GAON, NRE", "GAON NRE", "BTC"),
    ("신규 거래지원 안내 (BTC, USDT 마켓) (GAON, NRE)", "GAON NRE", "BTC USDT"),
    # prefixes
    ("[거래] 가온(GAON) 신규 거래지원 안내 (BTC, USDT 마켓)", "GAON", "BTC USDT"),
    ("[거래]가온(GAON) 신규 거래지원 안내 (BTC, USDT 마켓)", "GAON", "BTC USDT"),
    ("[안내] [거래] 가온(GAON) 신규 거래지원 안내 (BTC 마켓)", "GAON", "BTC"),
    ("【거래】 가온(GAON) 신규 거래지원 안내 (BTC 마켓)", "GAON", "BTC"),
    # ticker shapes
    ("에프(F) 신규 거래지원 안내 (KRW 마켓)", "F", "KRW"),
    ("더블(2X) 신규 거래지원 안내 (KRW 마켓)", "2X", "KRW"),
    ("제로(0Q) 신규 거래지원 안내 (KRW 마켓)", "0Q", "KRW"),
    ("일센치(1CENTI) 신규 거래지원 안내 (KRW 마켓)", "1CENTI", "KRW"),
    ("가온버스(GAONVERSE) 신규 거래지원 안내 (KRW 마켓)", "GAONVERSE", "KRW"),
    ("가온십오(GAONGAONGAON123) 신규 거래지원 안내 (KRW 마켓)", "GAONGAONGAON123", "KRW"),
    ("사십이(42) 신규 거래지원 안내 (KRW 마켓)", "42", "KRW"),
    ("오픈(OPEN), 인(IN), 홈(HOME) 신규 거래지원 안내 (KRW 마켓)", "OPEN IN HOME", "KRW"),
    ("비트코인(BTC) 신규 거래지원 안내 (USDT 마켓)", "BTC", "USDT"),
    ("테더(USDT) 신규 거래지원 안내 (KRW, BTC 마켓)", "USDT", "KRW BTC"),
    ("에이피엔에프티(NFT) 신규 거래지원 안내 (KRW 마켓)", "NFT", "KRW"),
    # names
    ("가온알피(물결)(GRP) 신규 거래지원 안내 (KRW 마켓)", "GRP", "KRW"),
    ("엑스알(리플)(XRR), 가온(GAON) 신규 거래지원 안내 (KRW 마켓)", "XRR GAON", "KRW"),
    ("gaon.net(GN) 신규 거래지원 안내 (KRW 마켓)", "GN", "KRW"),
    ("이벤트체인(EVT) 신규 거래지원 안내 (KRW 마켓)", "EVT", "KRW"),
    ("취소프로토콜(CANCEL) 신규 거래지원 안내 (KRW 마켓)", "CANCEL", "KRW"),
    ("가온네트워크(GAON) 신규 거래지원 안내 (KRW 마켓)", "GAON", "KRW"),
    ("가온 네트워크(GAON) 신규 거래지원 안내 (KRW 마켓)", "GAON", "KRW"),
    ("스테이킹다오(STD) 신규 거래지원 안내 (KRW 마켓)", "STD", "KRW"),
    ("토토 홋스퍼(SPUR) 신규 거래지원 안내 (KRW 마켓)", "SPUR", "KRW"),
    ("가온엔에프티(GNFT) 신규 거래지원 안내 (KRW 마켓)", "GNFT", "KRW"),
    ("XRR(XRR) 신규 거래지원 안내 (KRW 마켓)", "XRR", "KRW"),
    # listings of the first years
    ("[거래] 원화마켓 신규 상장 (가온 GAON)", "GAON", "KRW"),
    ("원화 마켓 신규 상장 (가온 GAON, 나래 NRE)", "GAON NRE", "KRW"),
    ("원화 마켓 신규 상장 안내 (GAON)", "GAON", "KRW"),
    ("BTC 마켓 신규 상장 (GAON, NRE)", "GAON NRE", "BTC"),
    ("가온클래식(GAC/KRW) 상장", "GAC", "KRW"),
    ("가온클래식(GAC/KRW, GAC/BTC) 상장 안내", "GAC", "KRW BTC"),
    ("가온(GAON) 원화 마켓 상장 안내", "GAON", "KRW"),
    ("가온(GAON) 신규 상장", "GAON", ""),
    ("[신규상장] 가온(GAON/KRW) 상장 안내", "GAON", "KRW"),
    # an addition to a market with BTC was a new coin, when the market came first
    ("BTC 마켓 디지털 자산 추가 (GAON)", "GAON", "BTC"),
    ("[거래] KRW, BTC 마켓 디지털 자산 추가 (GAON, NRE)", "GAON NRE", "KRW BTC"),
    ("KRW, BTC, USDT 마켓 디지털 자산 추가 (GAON)", "GAON", "KRW BTC USDT"),
    ("BTC 마켓 코인 추가 (GAON, NRE)", "GAON NRE", "BTC"),
    ("BTC 마켓 신규 코인 추가 (GAON)", "GAON", "BTC"),
    ("BTC마켓 디지털자산 추가(GAON)", "GAON", "BTC"),
    ("BTC 마켓 디지털 자산 추가 안내 (GAON)", "GAON", "BTC"),
    ("BTC, USDT 마켓 디지털 자산 추가 (가온(GAON))", "GAON", "BTC USDT"),
]

KOREAN_ADDED = [
    ("가온(GAON) KRW 마켓 디지털 자산 추가", "GAON", "KRW"),
    ("가온(GAON) KRW, USDT 마켓 디지털 자산 추가", "GAON", "KRW USDT"),
    ("가온(GAON), 나래(NRE) KRW, USDT 마켓 디지털 자산 추가", "GAON NRE", "KRW USDT"),
    ("가온(GAON) KRW, BTC 마켓 디지털 자산 추가", "GAON", "KRW BTC"),
    ("가온(GAON) KRW마켓 디지털자산 추가", "GAON", "KRW"),
    ("가온(GAON) 원화 마켓 디지털 자산 추가 안내", "GAON", "KRW"),
    ("가온(GAON)  KRW 마켓  디지털 자산  추가", "GAON", "KRW"),
    ("가온 (GAON) KRW 마켓 디지털 자산 추가", "GAON", "KRW"),
    ("가온(GAON) 디지털 자산 추가 (KRW 마켓)", "GAON", "KRW"),
    ("가온(GAON) USDT 마켓 디지털 자산 추가", "GAON", "USDT"),
    ("테더(USDT) KRW 마켓 디지털 자산 추가", "USDT", "KRW"),
    ("에프(F) KRW 마켓 디지털 자산 추가", "F", "KRW"),
    ("[거래] 가온(GAON) KRW 마켓 디지털 자산 추가", "GAON", "KRW"),
    ("[거래] KRW 마켓 디지털 자산 추가 (GAON)", "GAON", "KRW"),
    ("KRW 마켓 디지털 자산 추가 (GAON, NRE)", "GAON NRE", "KRW"),
    ("KRW 마켓 디지털 자산 추가 (GAON/NRE)", "GAON NRE", "KRW"),
    ("KRW 마켓 디지털 자산 추가(GAON)", "GAON", "KRW"),
    ("원화 마켓 디지털 자산 추가 (GAON)", "GAON", "KRW"),
    ("원화마켓 디지털 자산 추가 (가온 GAON)", "GAON", "KRW"),
    ("원화 마켓 코인 추가 (GAON)", "GAON", "KRW"),
    ("USDT 마켓 디지털 자산 추가 (GAON, NRE)", "GAON NRE", "USDT"),
    ("KRW, USDT 마켓 디지털 자산 추가 (GAON)", "GAON", "KRW USDT"),
    ("KRW 마켓 디지털 자산 추가 (BTC)", "BTC", "KRW"),
    ("GAON, NRE USDT 마켓 디지털 자산 추가", "GAON NRE", "USDT"),
    ("GAON KRW 마켓 디지털 자산 추가", "GAON", "KRW"),
    ("이벤트체인(EVT) KRW 마켓 디지털 자산 추가", "EVT", "KRW"),
    ("가온알피(물결)(GRP) KRW 마켓 디지털 자산 추가", "GRP", "KRW"),
]

ENGLISH = [
    ("Market Support for Gaon(GAON) (KRW, BTC, USDT Market)", NEW, "GAON", "KRW BTC USDT"),
    ("Market Support for Gaon(GAON) (KRW, BTC, USDT Markets)", NEW, "GAON", "KRW BTC USDT"),
    ("Market support for Gaon (GAON) (BTC, USDT market)", NEW, "GAON", "BTC USDT"),
    ("MARKET SUPPORT FOR GAON(GAON) (BTC MARKET)", NEW, "GAON", "BTC"),
    ("Market Support for Gaon(GAON), Narae Coin(NRE) (BTC, USDT Market)", NEW, "GAON NRE", "BTC USDT"),
    ("Market Support for Gaon(GAON) and Narae(NRE) (BTC, USDT Market)", NEW, "GAON NRE", "BTC USDT"),
    ("Market Support for Gaon(GAON) & Narae(NRE) (BTC Market)", NEW, "GAON NRE", "BTC"),
    ("Market Support for Gaon Ripple(Wave)(GRP) (BTC Market)", NEW, "GRP", "BTC"),
    ("Market Support for gaon.net(GN) (BTC Market)", NEW, "GN", "BTC"),
    ("Market Support for 2Double(2X) (BTC Market)", NEW, "2X", "BTC"),
    ("[Trade] Market Support for Gaon(GAON) (KRW, BTC Market)", NEW, "GAON", "KRW BTC"),
    ("Notice on Market Support for Gaon(GAON) (KRW, BTC Market)", NEW, "GAON", "KRW BTC"),
    ("New Market Support for Gaon(GAON) (KRW, BTC Market)", NEW, "GAON", "KRW BTC"),
    ("Trading Support for Gaon(GAON) (KRW, BTC Market)", NEW, "GAON", "KRW BTC"),
    ("Market Support for GAON, NRE, DSM (BTC Market)", NEW, "GAON NRE DSM", "BTC"),
    ("New Digital Assets Added to BTC Market (GAON, NRE)", NEW, "GAON NRE", "BTC"),
    ("New digital assets on KRW, BTC Market (GAON)", NEW, "GAON", "KRW BTC"),
    # without a BTC market the cautious reading
    ("Market Support for Gaon(GAON) (KRW Market)", ADDED, "GAON", "KRW"),
    ("Market Support for Gaon(GAON) (KRW, USDT Market)", ADDED, "GAON", "KRW USDT"),
    ("Market Support for GAON, GO, NRE, QTX, RLX (USDT Market)", ADDED, "GAON GO NRE QTX RLX", "USDT"),
    ("Market Support for GAON (USDT Market)", ADDED, "GAON", "USDT"),
    ("New Digital Assets Added to USDT Market (GAON, NRE)", ADDED, "GAON NRE", "USDT"),
    ("New Digital Asset Added to USDT Market (GAON)", ADDED, "GAON", "USDT"),
    ("New digital asset on KRW Market (GAON)", ADDED, "GAON", "KRW"),
    ("New Digital Assets Added to the KRW Market (Gaon(GAON))", ADDED, "GAON", "KRW"),
    ("Digital Asset Added to KRW Market (GAON)", ADDED, "GAON", "KRW"),
]

AMENDED = [
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓) (거래지원 개시 시점 변경 안내)", NEW, "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 안내 (USDT 마켓) (거래지원 개시 시점 추가 변경 안내)", NEW, "GAON", "USDT"),
    (
        "가온(GAON), 나래(NRE) 신규 거래지원 안내 (KRW 마켓) (NRE 거래지원 개시 시점 연기 안내)",
        NEW,
        "GAON NRE",
        "KRW",
    ),
    (
        "가온(GAON), 나래(NRE) 신규 거래지원 안내 (BTC 마켓) (가온(GAON) 거래지원 취소 안내)",
        NEW,
        "GAON NRE",
        "BTC",
    ),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓) (명칭 변경 안내)", NEW, "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓)(거래지원 개시 시점 변경 안내)", NEW, "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓) (업비트 여름 이벤트 안내)", NEW, "GAON", "KRW"),
    (
        "가온(GAON) 신규 거래지원 안내 (KRW 마켓) (10/2 15:00) (매도 최저가 기준 가격 안내)",
        NEW,
        "GAON",
        "KRW",
    ),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓) [거래지원 연기]", NEW, "GAON", "KRW"),
    ("[정정] 가온(GAON) 신규 거래지원 안내 (KRW 마켓)", NEW, "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓, 거래지원 개시 시점 변경)", NEW, "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 안내 (KRW 마켓) - 거래지원 개시 시점 변경", NEW, "GAON", "KRW"),
    (
        "BTC, USDT 마켓 신규 거래지원 안내 (GAON, NRE) (GAON 거래지원 개시 시점 안내)",
        NEW,
        "GAON NRE",
        "BTC USDT",
    ),
    ("[거래] BTC 마켓 디지털 자산 추가 (GAON) (GAON 출금 수수료 일시 상향 안내)", NEW, "GAON", "BTC"),
    ("[거래] KRW 마켓 디지털 자산 추가 (GAON) (거래지원 개시 시점 연기 안내)", ADDED, "GAON", "KRW"),
    (
        "가온(GAON), 나래(NRE) KRW 마켓 디지털 자산 추가 (NRE 거래지원 개시 시점 변경 안내)",
        ADDED,
        "GAON NRE",
        "KRW",
    ),
    ("Market Support for Gaon(GAON) (KRW, BTC Market) (Change of Opening Time)", NEW, "GAON", "KRW BTC"),
    ("Market Support for Gaon(GAON) (KRW, BTC Market) (Postponed)", NEW, "GAON", "KRW BTC"),
    ("가온(GAON) 입출금 일시 중단 안내 (완료)", MAINTENANCE, "GAON", ""),
    ("가온(GAON) 입출금 일시 중단 안내 (12/12 18:00 ~) (일정 변경)", MAINTENANCE, "GAON", ""),
    ("Temporary Suspension of Gaon(GAON) Deposits (Completed)", MAINTENANCE, "GAON", ""),
    ("가온(GAON) 거래하고 상금 받아가세요! (이벤트 종료)", EVENT, "GAON", ""),
    ("가온(GAON) 거래지원 종료 안내 (10/12 15:00) (거래지원 종료 일정 변경 안내)", DELISTING, "GAON", ""),
]

NOT_LISTINGS = [
    # delistings
    ("가온(GAON) 거래지원 종료 안내 (9/14 15:00)", DELISTING, "GAON", ""),
    ("가온(GAON) 거래지원 종료 안내(9/14 15:00)", DELISTING, "GAON", ""),
    ("가온(GAON)  거래 지원 종료 안내", DELISTING, "GAON", ""),
    ("가온(GAON), 나래(NRE) 거래지원종료 안내 (9/14 15:00)", DELISTING, "GAON NRE", ""),
    ("디지털 자산 거래지원 종료 안내 (GAON, NRE)", DELISTING, "GAON NRE", ""),
    ("디지털 자산 거래지원 종료 안내 (가온(GAON), 나래(NRE))", DELISTING, "GAON NRE", ""),
    ("[거래] 원화 마켓 페어 제거 안내 (GAON, NRE)", DELISTING, "GAON NRE", "KRW"),
    ("가온(GAON) 상장 폐지 안내", DELISTING, "GAON", ""),
    ("이벤트체인(EVT) 거래지원 종료 안내 (9/14 15:00)", DELISTING, "EVT", ""),
    ("가온체인 네트워크 종료에 따른 가온(GAON) 출금 중단(종료) 및 거래지원 종료 예정일 변경 안내 (09/01 09:00 ~)", DELISTING, "GAON", ""),
    ("Notice on Termination of Trading Support for Gaon(GAON) (8/25 15:00)", DELISTING, "GAON", ""),
    ("Termination of market support for Gaon(GAON)", DELISTING, "GAON", ""),
    ("Termination of Trading Support for Gaon(GAON), Narae(NRE)", DELISTING, "GAON NRE", ""),
    ("Termination of Market Support for GAON", DELISTING, "GAON", ""),
    ("Delisting of Gaon(GAON)", DELISTING, "GAON", ""),
    # cautions
    ("가온(GAON) 거래 유의 종목 지정 안내", CAUTION, "GAON", ""),
    ("가온(GAON)  거래 유의 종목 지정 안내", CAUTION, "GAON", ""),
    ("가온(GAON) 거래유의종목 지정 안내", CAUTION, "GAON", ""),
    ("가온(GAON), 나래(NRE) 유의 종목 지정 해제 안내", CAUTION, "GAON NRE", ""),
    ("가온(GAON) 유의 종목 지정 기간 연장 안내", CAUTION, "GAON", ""),
    ("가온(GAON) 유의 촉구 안내", CAUTION, "GAON", ""),
    ("[거래] 가온(GAON) 유의 종목 지정 안내", CAUTION, "GAON", ""),
    ("디지털 자산 유의 종목 지정 안내 (가온(GAON), 나래(NRE))", CAUTION, "GAON NRE", ""),
    ("알고리즘 스테이블코인 및 관련 디지털 자산 투자 유의 안내", CAUTION, "", ""),
    ("Investment Warning (GAON)", CAUTION, "GAON", ""),
    ("Investment Warning (GAON, NRE)", CAUTION, "GAON NRE", ""),
    ("Designation of Gaon(GAON) as Investment Warning", CAUTION, "GAON", ""),
    ("Notice on Designation of Gaon(GAON) as an item of Caution", CAUTION, "GAON", ""),
    ("Notice of Caution for Gaon(GAON)", CAUTION, "GAON", ""),
    ("Gaon(GAON) Trading Caution Extended", CAUTION, "GAON", ""),
    ("Precautions for Gaon(GAON) deposits", OTHER, "GAON", ""),
    ("Warning about Investing in Leveraged Tokens", CAUTION, "", ""),
    # maintenance
    ("가온(GAON) 입출금 일시 중단 안내 (04/28 03:00 ~)", MAINTENANCE, "GAON", ""),
    ("네트워크 업그레이드에 따른 가온(GAON) 입출금 일시 중단 안내", MAINTENANCE, "GAON", ""),
    ("가온(GAON) 리브랜딩 및 토큰 스왑에 따른 입출금 및 거래 지원 일시 중단 안내", MAINTENANCE, "GAON", ""),
    ("가온(GAON) 출금 지연 안내", MAINTENANCE, "GAON", ""),
    ("가온(GAON) 입출금 재개 안내", MAINTENANCE, "GAON", ""),
    ("[점검] 업비트 서버 점검 안내 (3/3 02:00 ~ 04:00)", MAINTENANCE, "", ""),
    ("은행 점검에 따른 원화 입출금 일시 중단 안내", MAINTENANCE, "", ""),
    ("GAON, NRE 입출금 일시 중단 안내", MAINTENANCE, "GAON NRE", ""),
    ("Gaonchain 네트워크 계열 디지털 자산 입출금 일시 중단 안내", MAINTENANCE, "", ""),
    ("Temporary Suspension of GAON, NRE Digital Asset Withdrawals due to Wallet Maintenance", MAINTENANCE, "GAON NRE", ""),
    ("Temporary Suspension of GAON Deposit/Withdrawal (07/31 23:00 ~)", MAINTENANCE, "GAON", ""),
    ("Temporary suspension of Withdrawal service for GAON due to halt of Gaon Network", MAINTENANCE, "GAON", ""),
    # events
    ("가온(GAON) 거래지원 기념, 총 상금 900,000 GAON 상당 TOP 트레이딩 이벤트!", EVENT, "GAON", ""),
    ("가온(GAON) 신규 거래지원 기념 이벤트 안내", EVENT, "GAON", ""),
    ("가온(GAON) KRW 마켓 디지털 자산 추가 기념 에어드랍 이벤트", EVENT, "GAON", "KRW"),
    ("[이벤트] 가온(GAON) 신규 거래지원 안내 (KRW 마켓)", EVENT, "GAON", "KRW"),
    ("가온(GAON) 신규 거래지원 이벤트 당첨자 안내", EVENT, "GAON", ""),
    ("8월 15일부터 단 3일간! USDT 마켓 전 종목 거래 수수료 0% 혜택을 만나보세요!", EVENT, "", "USDT"),
    ("[NFT 드롭스] 어느 화가 - 달밤", EVENT, "", ""),
    # other
    ("업비트 코인빌리기 신규 대여 자산 추가 안내 (GAON 외 5종)", OTHER, "GAON", ""),
    ("업비트 코인빌리기 - 가온(GAON) 지원 종료 안내", OTHER, "GAON", ""),
    ("업비트 코인빌리기 가온(GAON) 신규 거래지원 안내 (KRW 마켓)", OTHER, "GAON", "KRW"),
    ("스테이킹 디지털 자산 추가 안내 (GAON)", OTHER, "GAON", ""),
    ("가온(GAON) 입출금 가능 네트워크 추가 안내", OTHER, "GAON", ""),
    ("유통량 계획표 변경 안내 : 가온(GAON)", OTHER, "GAON", ""),
    ("8월 2주차 GAON 에어드랍 지급 안내", OTHER, "GAON", ""),
    ("10월 1주차 GAON, NRE 지급 안내", OTHER, "GAON NRE", ""),
    ("GAON/NRE Distribution for the 4th week of July, 2025", OTHER, "GAON NRE", ""),
    ("신규 거래지원 사칭 피싱 주의 안내", OTHER, "", ""),
    ("가온(GAON) 신규 거래지원을 사칭한 스캠 사이트 주의 안내 (KRW 마켓)", OTHER, "GAON", "KRW"),
    ("신규 거래지원 심사 기준 안내", OTHER, "", ""),
    ("디지털 자산 신규 거래지원 절차 안내 (2026년 기준)", OTHER, "", ""),
    ("가온(GAON) 거래지원 개시 시점 변경 안내", OTHER, "GAON", ""),
    ("가온(GAON) 신규 거래지원 취소 안내", OTHER, "GAON", ""),
    ("가온(GAON) 신규 거래지원 연기 안내 (KRW 마켓)", OTHER, "GAON", "KRW"),
    ("가온(GAON) 거래지원 안내", OTHER, "GAON", ""),
    ("가온(OLD) 티커 변경 안내 (OLD → NEW)", OTHER, "OLD", ""),
    ("가온 주식회사 나스닥 상장 안내문", OTHER, "", ""),
    ("디지털 자산 실사보고서 결과 공개 (2026년 08월 01일 기준)", OTHER, "", ""),
    ("업비트 Open API 변경 안내", OTHER, "", ""),
    ("신규 거래지원 안내", OTHER, "", ""),
    ("Cautionary Notice for Investment Scams Using Fake Exchanges", OTHER, "", ""),
    ("Precautions for Deposits/Withdrawals", OTHER, "", ""),
    ("Postponement of Market Support for Gaon(GAON) (KRW, BTC Market)", OTHER, "GAON", "KRW BTC"),
    ("Market Support for Gaon(GAON) has been cancelled", OTHER, "GAON", ""),
    ("", OTHER, "", ""),
    ("   ", OTHER, "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("title", "symbols", "markets"), KOREAN_NEW)
def test_korean_new_listing(title: str, symbols: str, markets: str) -> None:
    assert parsed(title) == (NEW, symbols, markets)
    assert not titles.parse(title).amended


@pytest.mark.parametrize(("title", "symbols", "markets"), KOREAN_ADDED)
def test_korean_market_addition(title: str, symbols: str, markets: str) -> None:
    assert parsed(title) == (ADDED, symbols, markets)
    assert not titles.parse(title).amended


@pytest.mark.parametrize(("title", "kind", "symbols", "markets"), ENGLISH)
def test_english_listing(title: str, kind: NoticeKind, symbols: str, markets: str) -> None:
    assert parsed(title) == (kind, symbols, markets)
    assert not titles.parse(title).amended


@pytest.mark.parametrize(("title", "kind", "symbols", "markets"), AMENDED)
def test_amended_title_keeps_what_it_is_about(
    title: str, kind: NoticeKind, symbols: str, markets: str
) -> None:
    assert parsed(title) == (kind, symbols, markets)
    assert titles.parse(title).amended


@pytest.mark.parametrize(("title", "kind", "symbols", "markets"), NOT_LISTINGS)
def test_what_is_not_a_listing(title: str, kind: NoticeKind, symbols: str, markets: str) -> None:
    assert parsed(title) == (kind, symbols, markets)


@pytest.mark.parametrize("title", [row[0] for row in (*KOREAN_NEW, *KOREAN_ADDED, *AMENDED)])
def test_full_width_and_decomposed_text_read_the_same(title: str) -> None:
    wide = "".join(
        chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else ("\u3000" if letter == " " else letter)
        for letter in title
    )
    assert titles.parse(wide) == titles.parse(title)
    assert titles.parse(unicodedata.normalize("NFD", title)) == titles.parse(title)
    assert titles.parse("\ufeff" + "\u200b".join(title)) == titles.parse(title)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (
            "가온(GAON)(KRW, BTC, USDT 마켓), 나래(NRE)(BTC, USDT 마켓) 신규 거래지원 안내",
            {"GAON": ("KRW", "BTC", "USDT"), "NRE": ("BTC", "USDT")},
        ),
        (
            "가온(GAON) (KRW 마켓), 나래(NRE) (BTC 마켓) 신규 거래지원 안내 (주문 타입 제한 관련 안내)",
            {"GAON": ("KRW",), "NRE": ("BTC",)},
        ),
        (
            "가온(GAON), 나래(NRE)(KRW 마켓), 다솜(DSM)(BTC 마켓) 신규 거래지원 안내",
            {"GAON": ("KRW",), "NRE": ("KRW",), "DSM": ("BTC",)},
        ),
        (
            "가온(GAON)(KRW, BTC 마켓), 나래(NRE) 신규 거래지원 안내",
            {"GAON": ("KRW", "BTC"), "NRE": ()},
        ),
        (
            "가온(GAON) KRW 마켓, 나래(NRE) KRW, USDT 마켓 디지털 자산 추가",
            {"GAON": ("KRW",), "NRE": ("KRW", "USDT")},
        ),
        (
            "신규 거래지원 안내 (GAON: KRW, BTC 마켓 / NRE: BTC 마켓)",
            {"GAON": ("KRW", "BTC"), "NRE": ("BTC",)},
        ),
        (
            "Market Support for Gaon(GAON)(KRW, BTC, USDT market), narae.net(NRE)(BTC, USDT market)",
            {"GAON": ("KRW", "BTC", "USDT"), "NRE": ("BTC", "USDT")},
        ),
        ("가온(GAON), 나래(NRE) 신규 거래지원 안내 (KRW 마켓)", {}),
        ("가온(GAON)(KRW 마켓), 나래(NRE)(KRW 마켓) 신규 거래지원 안내", {}),
    ],
)
def test_markets_of_each_coin(title: str, expected: dict[str, tuple[str, ...]]) -> None:
    result = titles.parse(title)
    assert result.kind in {NEW, ADDED}
    assert result.markets_by_symbol == expected
    if expected:
        assert result.symbols == tuple(expected)
        assert set(result.markets) == {name for names in expected.values() for name in names}


@pytest.mark.parametrize(
    ("suffix", "called_off"),
    [
        ("(가온(GAON) 거래지원 취소 안내)", {"GAON"}),
        ("(NRE 거래지원 취소 안내)", {"NRE"}),
        ("(GAON, NRE 거래지원 철회 안내)", {"GAON", "NRE"}),
        ("(거래지원 취소 안내)", {"GAON", "NRE"}),
        ("(가온 거래지원 취소 안내)", {"GAON", "NRE"}),
        ("(Cancelled)", {"GAON", "NRE"}),
        ("(NRE 거래지원 개시 시점 변경 안내) (GAON 거래지원 취소 안내)", {"GAON"}),
        ("(거래지원 개시 시점 변경 안내)", set()),
        ("", set()),
    ],
)
def test_cancelled_coins(suffix: str, called_off: set[str]) -> None:
    title = f"가온(GAON), 나래(NRE) 신규 거래지원 안내 (BTC, USDT 마켓) {suffix}"
    assert titles.parse(title).symbols == ("GAON", "NRE")
    assert titles.cancelled(title) == called_off


def test_a_listing_that_names_no_ticker_trades_nothing() -> None:
    result = titles.parse("가온 신규 거래지원 안내 (KRW 마켓)")
    assert (result.kind, result.symbols) == (NEW, ())


def test_markets_are_never_coins_and_krw_never_is_one() -> None:
    for title in (
        "KRW 마켓 디지털 자산 추가 (KRW)",
        "원화(KRW) 신규 거래지원 안내 (KRW 마켓)",
        "KRW 신규 거래지원 안내 (BTC 마켓)",
    ):
        assert "KRW" not in titles.parse(title).symbols


@pytest.mark.parametrize(
    "hostile",
    [
        "(" * 100_000,
        ")" * 100_000,
        "()" * 50_000,
        "[" * 100_000,
        "[]" * 50_000,
        "KRW, " * 20_000,
        "KRW, BTC " * 110 + "x",
        "가온(GAON), " * 80 + "신규 거래지원 안내",
        "신규 거래지원 " * 120,
        "디지털 자산 " * 140,
        "A" * 999,
        "A," * 499,
        "1" * 999,
        "1 " * 499,
        "1:1" * 333,
        "a\x01···" * 200,
        "가(A)···" * 160,
        "가 " * 499,
        "AB/" * 333,
        "notice on the " * 70,
        "designation " * 80,
        "ﷺ" * 1000,
        "가" * 100_000,
        "\x00" * 5000,
        "\ud800(GAON) 신규 거래지원 안내",
        " " * 100_000 + "가온(GAON) 신규 거래지원 안내",
    ],
)
@pytest.mark.timeout(5)
def test_hostile_text_is_answered_in_bounded_time(hostile: str) -> None:
    inside = hostile[:900]
    for title in (
        hostile,
        f"가온(GAON) 신규 거래지원 안내 ({inside})",
        f"가온({inside}) 신규 거래지원 안내 (KRW 마켓)",
        f"Market Support for Gaon(GAON) {inside}",
        f"신규 거래지원 안내 - {inside}",
    ):
        assert isinstance(titles.parse(title), ParsedTitle)
        titles.cancelled(title)


def test_a_text_too_long_to_be_a_title_is_no_listing() -> None:
    title = "가온(GAON) 신규 거래지원 안내 (KRW 마켓)"
    assert titles.parse(title + " " * 2000 + "x").kind is OTHER
    assert titles.parse_cached(title + "x" * 2000) == ParsedTitle(kind=OTHER)


_PIECES = st.sampled_from(
    [
        "가온",
        "(GAON)",
        "(",
        ")",
        "[거래]",
        "[",
        "]",
        "신규 거래지원",
        "안내",
        "KRW",
        "마켓",
        ",",
        " ",
        "취소",
        "디지털 자산 추가",
        "(KRW, BTC 마켓)",
        "Market Support for",
        "NRE",
        "종료",
        "이벤트",
        "/",
        "-",
        "(GAON/KRW)",
        "\u200b",
        "및",
        "USDT",
        "신규 상장",
        ":",
        "(42)",
        "(샌드 SAND)",
    ]
)


@given(st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=300))
def test_any_text_has_an_answer_of_the_right_shape(title: str) -> None:
    result = titles.parse(title)
    assert result == titles.parse(title) == titles.parse_cached(title)
    assert len(set(result.symbols)) == len(result.symbols)
    assert set(result.markets) <= {"KRW", "BTC", "USDT", "ETH"}
    for symbol in result.symbols:
        assert symbol != "KRW"
        assert symbol.isascii()
        assert symbol.isalnum()
        assert symbol == symbol.upper()
        assert 1 <= len(symbol) <= 15
        assert symbol in unicodedata.normalize("NFKC", title).replace("\u200b", "")
    assert set(result.markets_by_symbol) <= set(result.symbols)
    assert titles.cancelled(title) <= set(result.symbols)


_TICKER = st.from_regex(r"[0-9]{0,2}[A-Z][A-Z0-9]{0,9}", fullmatch=True).filter(lambda name: name != "KRW")
_NAME = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=10)
_MARKETS = st.sampled_from(["KRW", "BTC", "USDT", "KRW, BTC", "BTC, USDT", "KRW, USDT", "KRW, BTC, USDT"])


@given(st.lists(st.tuples(_NAME, _TICKER), min_size=1, max_size=6, unique_by=lambda coin: coin[1]), _MARKETS)
def test_every_list_of_coins_is_read_in_order(coins: list[tuple[str, str]], markets: str) -> None:
    names = ", ".join(f"{name}({ticker})" for name, ticker in coins)
    tickers = tuple(ticker for _, ticker in coins)
    expected = tuple(markets.split(", "))
    for title in (
        f"{names} 신규 거래지원 안내 ({markets} 마켓)",
        f"{markets} 마켓 신규 거래지원 안내 ({', '.join(tickers)})",
        f"[거래] {names} 신규거래지원 안내({markets} 마켓) (거래지원 개시 시점 변경 안내)",
    ):
        result = titles.parse(title)
        assert (result.kind, result.symbols, result.markets) == (NEW, tickers, expected)
    result = titles.parse(f"{names} {markets} 마켓 디지털 자산 추가")
    assert (result.kind, result.symbols, result.markets) == (ADDED, tickers, expected)
    for title, kind in (
        (f"{names} 거래지원 종료 안내 (9/14 15:00)", DELISTING),
        (f"{names} 거래 유의 종목 지정 안내", CAUTION),
    ):
        result = titles.parse(title)
        assert (result.kind, result.symbols) == (kind, tickers)
