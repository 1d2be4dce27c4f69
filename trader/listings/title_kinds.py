"""What kind of notice a title is when it does not announce a listing. Korean and English side by side.

Order of the questions, first yes wins (see :func:`before_listing` and :func:`after_listing`):
safety warnings and lending or NFT notices are never listings; then delisting, caution; then (elsewhere)
listing; then maintenance, event; the rest is *other*.
"""

from __future__ import annotations

from typing import Final

from shared.domain.notice import NoticeKind
from trader.listings.title_text import MARK, Group, Title, Words

_SAFETY: Final = Words(
    r"사칭|피싱|스캠|스미싱|(?:^| )사기|유사 ?수신|리딩방|불법", r"scam|phishing|smishing|impersonat|fraud"
)
_NO_TRADE: Final = Words(
    r"코인 ?빌리기|대여|렌딩|스테이킹|드롭스|기프티콘|(?<![A-Za-z])NFTs?(?![A-Za-z])",
    r"\bnfts?\b|\blending|\bstaking|\bcoin borrow",
)
_DELISTING: Final = Words(
    rf"거래 ?지원 ?{MARK}? ?종료|거래 ?종료 ?(?:안내|예정|일)|상장 ?폐지|(?:마켓|페어) ?(?:거래 ?)?(?:페어 ?)?(?:제거|종료|폐지)"
    r"|디지털 ?자산 ?제거",
    r"delist|(?:terminat\w*|discontinu\w*|remov\w*|cessation|end) of (?:the )?(?:\w+ )?(?:trading|market|trade|transaction)s?\b"
    r"|(?:trading|market|transaction) support (?:is |has been |will be )?(?:terminat|end|discontinu)"
    r"|(?:trading|market) terminat",
)
_CAUTION: Final = Words(
    r"유의 ?종목|주의 ?종목|(?:유의|주의) ?촉구|투자 ?(?:유의|주의)(?! ?사항)|(?<![가-힣])거래 ?(?:유의|주의) ?안내|투자 ?경고",
    r"investment (?:warning|caution|alert)|warnings? (?:about|on|for|against) (?:invest|trad)"
    r"|trading (?:warning|caution|alert)|(?:as|of|for|under) (?:an? )?(?:\w+ )?(?:caution|warning)(?:ary)? (?:item|asset|stock)"
    r"|(?:caution|warning)(?:ary)? (?:item|asset|designation)|designat\w* .{0,80}\b(?:caution|warning)"
    r"|urg\w+ (?:of |for )?caution|caution urged|(?:lift|releas|remov|extension|extend)\w* .{0,40}\b(?:caution|warning)"
    rf"|{MARK}[^{MARK}]{{0,60}}\b(?:caution|warning)\b|\b(?:caution|warning)\b[^{MARK}]{{0,60}}{MARK}",
)
_OUTAGE: Final = Words(
    r"중단|중지|재개|지연|점검|장애(?!인)|(?:입 ?출금|출금|입금)(?: ?서비스)?(?: ?지원)? ?종료",
    r"suspen|maintenance|resum|outage|\bdelay|\bhalt|interrupt|unavailab",
)
_UPGRADE: Final = Words(
    r"네트워크 ?업그레이드|하드 ?포크|서버 ?(?:증설|이전|교체)", r"network upgrade|hard ?fork|server upgrade"
)
_EVENT: Final = Words(
    r"이벤트|드롭스|상금|경품|혜택|당첨|추첨|프로모션|챌린지|트레이딩 ?대회|거래 ?대회|페스티벌|퀴즈|응모|선착순|기프티콘|쿠폰"
    r"|수수료 ?(?:0 ?%|무료|할인|면제)|받아 ?가세요|받으세요|드려요|드립니다|만나 ?보세요|참여하",
    r"\bevents?\b|promotion|\bprizes?\b|giveaway|\bdrops?\b|competition|contest|\bwin\b|celebrat|commemorat|\bquiz"
    r"|zero[- ]fees?|fee[- ]free|free (?:trading )?fees?|(?:fees? )?waive",
)
_DONE: Final = Words(
    r"(?:완료|종료|취소|연기|재개|정정|수정|철회)(?: ?안내| ?예정| ?됨| ?공지)?$|^변경"
    r"|(?:일정|시점|시간|일시|예정일|기간|내용) ?(?:추가 ?)?(?:변경|연기)",
    r"complet|cancel|postpon|reschedul|\bchang|delayed|\bended\b|resumed|\bclosed\b",
)


def before_listing(title: Title) -> tuple[NoticeKind | None, bool]:
    """``(kind, may_list)``: the kind if it is decided already, and whether a listing is possible at all."""
    text = title.text
    if _SAFETY.search(text):
        return (NoticeKind.EVENT if "이벤트" in text else NoticeKind.OTHER), False
    if _NO_TRADE.search(_names_blanked(title)) or _NO_TRADE.search(title.tags):
        return None, False
    if _DELISTING.search(text):
        return NoticeKind.DELISTING, False
    if _CAUTION.search(text):
        return NoticeKind.CAUTION, False
    return None, True


def after_listing(title: Title) -> NoticeKind:
    """Maintenance, event or other, for a title that announces no listing."""
    text = _names_blanked(title)
    eventful = _EVENT.search(text) is not None or _EVENT.search(title.tags) is not None
    if "이벤트" in title.tags:
        return NoticeKind.EVENT
    if _OUTAGE.search(text) and "이벤트" not in text and "드롭스" not in text:
        return NoticeKind.MAINTENANCE
    if eventful:
        return NoticeKind.EVENT
    if _UPGRADE.search(text):
        return NoticeKind.MAINTENANCE
    inside = " ".join(group.text for group in title.groups)
    if "점검" in title.tags or (_OUTAGE.search(inside) and "출금" in inside):
        return NoticeKind.MAINTENANCE
    return NoticeKind.EVENT if "이벤트" in inside else NoticeKind.OTHER


def amended(title: Title) -> bool:
    """A trailing, free-standing bracket says that it is over, called off or moved."""
    return any(_DONE.search(group.text) for group in _trailing(title))


def _trailing(title: Title) -> list[Group]:
    end = len(title.text.rstrip(MARK + " "))
    return [group for group in title.groups if group.at >= end and (not group.attached or group.at > end)]


def _names_blanked(title: Title) -> str:
    """The text without the words glued to an upper-case bracket: ``이벤트체인(EVENT)`` says nothing of an event."""
    text = title.text
    for group in title.groups:
        if group.attached and group.text.isascii() and group.text.isupper():
            start = max(text.rfind(" ", 0, group.at), text.rfind(",", 0, group.at)) + 1
            if not text[start : group.at].endswith(("안내", "이벤트", "중단", "재개")):
                text = text[:start] + " " * (group.at - start) + text[group.at :]
    return text
