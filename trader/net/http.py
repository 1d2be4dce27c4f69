"""The HTTP side of the trader: what other rooms import.

``Origin`` and the ``build_*`` functions make requests, ``HttpConnection`` carries one at a time,
``WarmConnection`` keeps such a connection ready. The errors are ``NotSentError`` (a definite no) and
``OutcomeUnknownError`` (never a no).
"""

from trader.net.backoff import Backoff
from trader.net.connection import MAX_REQUEST, HttpConnection
from trader.net.origin import Origin
from trader.net.request import build_get, build_post, header_value
from trader.net.response import MAX_BODY, Response, ResponseParser
from trader.net.warm import WarmConnection

__all__ = [
    "MAX_BODY",
    "MAX_REQUEST",
    "Backoff",
    "HttpConnection",
    "Origin",
    "Response",
    "ResponseParser",
    "WarmConnection",
    "build_get",
    "build_post",
    "header_value",
]
