"""Signing, and complete request bytes, for one key.

The prehash text is ``timestamp + METHOD + path?query + body`` (milliseconds), signed with HMAC-SHA256
and written in base64.
"""

from __future__ import annotations

import binascii

import msgspec

from trader.net.request import header_value
from trader.venues.dialect import ApiCredentials
from trader.venues.hmac import HmacKey
from trader.venues.model import Call

_GET = b"GET %b HTTP/1.1\r\n%bACCESS-TIMESTAMP: %b\r\nACCESS-SIGN: %b\r\n\r\n"
_POST = b"POST %b HTTP/1.1\r\n%bACCESS-TIMESTAMP: %b\r\nACCESS-SIGN: %b\r\nContent-Length: %d\r\n\r\n%b"


class Signer(HmacKey):
    """Signs for one key on one host. Holds secrets: it is never printed, logged or pickled.

    :param host: the Host header, :attr:`Origin.authority` of the REST address.
    """

    __slots__ = ("_key", "_lines", "_passphrase")

    def __init__(self, credentials: ApiCredentials, host: str) -> None:
        super().__init__(credentials.secret)
        self._key = header_value("the API key", credentials.key)
        self._passphrase = header_value("the API passphrase", credentials.passphrase)
        self._lines = (
            f"Host: {header_value('Host', host)}\r\n"
            f"ACCESS-KEY: {self._key}\r\n"
            f"ACCESS-PASSPHRASE: {self._passphrase}\r\n"
            "Content-Type: application/json\r\n"
            "locale: en-US\r\n"
            "User-Agent: kestrel\r\n"
        ).encode("ascii")

    def sign(self, text: bytes) -> bytes:
        """The signature of a prehash text, base64."""
        return binascii.b2a_base64(self.mac(text).digest(), newline=False)

    def get(self, path_query: str, now_ms: int) -> bytes:
        """A signed GET, ready to be written."""
        path, stamp = path_query.encode("ascii"), b"%d" % now_ms
        return _GET % (path, self._lines, stamp, self.sign(stamp + b"GET" + path))

    def post(self, path: str, body: bytes, now_ms: int) -> bytes:
        """A signed POST, ready to be written."""
        target, stamp = path.encode("ascii"), b"%d" % now_ms
        signature = self.sign(stamp + b"POST" + target + body)
        return _POST % (target, self._lines, stamp, signature, len(body), body)

    def request(self, call: Call, now_ms: int) -> bytes:
        """The signed bytes of any call."""
        if call.body is None:
            return self.get(call.path, now_ms)
        return self.post(call.path, call.body, now_ms)

    def login(self, now_ms: int) -> bytes:
        """The websocket login frame. The venue counts its time in seconds here."""
        stamp = str(now_ms // 1000)
        argument = {
            "apiKey": self._key,
            "passphrase": self._passphrase,
            "timestamp": stamp,
            "sign": self.sign(f"{stamp}GET/user/verify".encode()).decode("ascii"),
        }
        return msgspec.json.encode({"op": "login", "args": [argument]})
