"""Bitget's error codes: what each means for us. Codes alone count; texts carry typos and change.

Sorted by kind, as the vendor's tables and live sightings have them. A code that is not here is
``UNKNOWN``: nothing is read into it.
"""

from __future__ import annotations

from trader.venues.outcome import OF_KIND, Kind, Outcome

# 25xxx and 95xxx are the unified (v3) numbers, 300xx those of the websocket, the rest is classic v2.
_CODES = {
    Kind.AUTH: """40001 40002 40003 40006 40007 40009 40011 40012 40014 40018 40023 40024 40025 40026 40036
        40037 40038 40710 40760 30004 30005 30011 30012 30015 25005 25006 25007 25008 25012 25620
        95001""",
    Kind.CLOCK: "40005 40008 30013 30014",
    Kind.ACCOUNT_KIND: "22030 30032 40081 40084 40085 40099 40105 40110 25245",
    Kind.RATE_LIMIT: "429 45129 30006 30007 25004",
    Kind.TEMPORARY: "40010 40015 40200 40725 40908 40910 45001 25000 25001 25003 25239 25653",
    Kind.PARAMS: """00001 40017 40019 40020 40034 40053 40057 40064 40304 40305 40306 40402 40404 40704 40705
        40707 40724 40808 40811 40813 40912 40913 40924 40925 43011 48001 48002 400171 400172 30002
        30003 30016 25002 25011 25110 25200 25201 25217 25221 25238 25240 25559 25560 25561
        25562 25563 25564 25565 25566 25610 25622 95002 95003 95004 95010 95011 95014""",
    Kind.SIZE: """22029 22034 22038 40762 40921 40928 43006 43007 43037 43038 45111 45112 45120 25207 25208
        25213 25214 25215 25216 25229 25230 25233 25234 25235 25243 25595 25611""",
    Kind.VALUE: "43010 43027 43041 43042 45110 45113 45114 25241",
    Kind.PRICE: """22006 22007 22008 22009 40706 40815 40816 40820 40821 41103 43008 43009 43028 43039 43040
        45035 45115 25205 25206 25244 25606 25607 25608 25609 25654 25655""",
    Kind.FUNDS: "40754 40756 40798 40800 40893 43012 45002 50020 43117 25202 25203 25218 25219 25220 25228",
    Kind.LIQUIDITY: "22045 40720 40722 40825 40826 25209 25210 25222",
    Kind.DUPLICATE_ID: "40786 43118 45034 50060 25212",
    Kind.ORDER_NOT_FOUND: "22001 40109 40768 43001 43004 45057 25204 25597",
    Kind.ORDER_FINAL: "45031 45055 45056 50062 25568 25573",
    Kind.ORDER_LIMIT: "40723 40761 40889 40890 43005 43071 43128 45116 45118 25211 25567 25569 25572 25599",
    Kind.NO_POSITION: "22002 40746 40755 40757 40804 43043 45003 45005 45006 25225 25226 25227 25231 25574",
    Kind.MODE: "40774 40939 43075 45018 45020 45021 45109 25232 25236 25237",
    Kind.SETTING: """22005 40716 40730 40872 40914 40920 43050 45044 45045 45097 45117 25009 25010 25107 25113
        25114 25223 25242 25570 95005 95006 95007 95008 95009 95012 95013""",
    Kind.NO_CHANGE: "40814 40923 45054 25571 25600",
    Kind.TRIGGER_PRICE: """40829 40830 40831 40832 40833 40834 40835 40836 40915 40917 43013 43014 43015 43016 43034
        43035 45051 45052 45060 45061 45062 45063 45064 45065 45066 45067 45122 25579 25580 25581
        25582 25583 25584 25585 25586 25587 25588 25589 25590 25591 25592 25602 25603 25604 25605
        25650 25651 25652""",
    Kind.TRIGGER_POSITION: "40837 40891 43023 45068 25601",
    Kind.TRIGGER_STATE: """43020 43021 43025 43026 43030 43031 43033 25224 25575 25576 25577 25578 25593 25594 25596
        25598 25612""",
    Kind.SYMBOL: "22004 40072 40102 40309 40845 42016 30001 25013 25100 25104",
    Kind.MARKET_CLOSED: """22039 22040 22041 22042 22043 22044 22067 40308 40844 43119 45043 45107 45108 45119 25101
        25102 25103 25105 25106 25108""",
}

KINDS: dict[str, Kind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

#: What to tell the user besides the venue's own text.
_ADVICE = {
    Kind.AUTH: "check the key, its passphrase, its rights and its IP list",
    Kind.CLOCK: "the clock of this machine is wrong: synchronise it",
    Kind.ACCOUNT_KIND: "this key does not fit the kind of the account",
    Kind.MODE: "the position mode of the account was changed: it is read again",
    Kind.FUNDS: "the balance is too low for this order",
}
_ADVICE_BY_CODE = {
    "40085": "this key belongs to a Unified account: kestrel accounts set NUMBER --kind unified",
    "40084": "this key belongs to a classic account: kestrel accounts set NUMBER --kind classic",
    "25245": "this key belongs to a classic account: kestrel accounts set NUMBER --kind classic",
    "40099": "a demo key was used on the live exchange, or a live key in demo mode",
} | dict.fromkeys(
    ("25005", "25006", "25007", "25008", "25012", "95001"), "the exchange restricts this account: look there"
)


def kind(code: str) -> Kind:
    return KINDS.get(code, Kind.UNLISTED)


def classify(code: str, status: int = 200) -> Outcome:
    """What a refusal with this code and HTTP status says about the request.

    A known code decides, with one exception: behind a 5xx nothing is certain. Without a known code
    429 means "not executed, later", and everything else is unknown.
    """
    if status >= 500:
        return Outcome.UNKNOWN
    found = KINDS.get(code)
    if found is not None:
        return OF_KIND[found]
    return Outcome.RETRY if status == 429 else Outcome.UNKNOWN


def advice(code: str) -> str:
    """What the user can do about it, or ""."""
    return _ADVICE_BY_CODE.get(code) or _ADVICE.get(kind(code), "")
