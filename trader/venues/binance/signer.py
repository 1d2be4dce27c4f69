"""Signing, and complete request bytes, for one key.

All parameters travel in the query string, bodies stay empty. The signature is HMAC-SHA256 in hex over the
query string as it is sent, ``timestamp`` included; it goes last.
"""

from __future__ import annotations

from trader.net.request import header_value
from trader.venues.binance.requests import LISTEN_KEY
from trader.venues.dialect import ApiCredentials
from trader.venues.hmac import HmacKey
from trader.venues.model import Call

#: Calls that name the key and are not signed.
_KEY_ONLY = frozenset({LISTEN_KEY})


class Signer(HmacKey):
    """Signs for one key on one host. Holds secrets: it is never printed, logged or pickled.

    :param host: the Host header, :attr:`Origin.authority` of the REST address.
    """

    __slots__ = ("_lines",)

    def __init__(self, credentials: ApiCredentials, host: str) -> None:
        super().__init__(credentials.secret)
        self._lines = (
            f"Host: {header_value('Host', host)}\r\n"
            f"X-MBX-APIKEY: {header_value('the API key', credentials.key)}\r\n"
            "User-Agent: kestrel\r\n"
            "Accept: application/json\r\n"
        ).encode("ascii")

    def sign(self, text: bytes) -> bytes:
        """The signature of a query string, hex."""
        return self.mac(text).hexdigest().encode("ascii")

    def request(self, call: Call, now_ms: int) -> bytes:
        """The signed bytes of any call."""
        if call.body:
            raise ValueError("parameters of a signed call stand in its path")
        method = call.method or ("GET" if call.body is None else "POST")
        target = call.path.encode("ascii")
        path, _, query = target.partition(b"?")
        if call.path not in _KEY_ONLY:
            query += b"&timestamp=%d" % now_ms if query else b"timestamp=%d" % now_ms
            target = b"%b?%b&signature=%b" % (path, query, self.sign(query))
        length = b"" if method == "GET" else b"Content-Length: 0\r\n"
        return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (method.encode("ascii"), target, self._lines, length)
