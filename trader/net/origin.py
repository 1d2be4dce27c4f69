"""Where a connection leads: scheme, host and port of a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from shared.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Origin(msgspec.Struct, frozen=True):
    """``scheme://host:port``. ``host`` has no brackets, also for IPv6."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Read the origin of a URL; the path is ignored. Raise :class:`UsageError` when it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise UsageError(f"not a URL: {url!r}") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise UsageError(
                f"not a URL with a scheme and a host: {url!r}; write for example https://api.bitget.com"
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError(f"a URL must not carry credentials (host {parts.hostname})")
        return cls(parts.scheme, parts.hostname, DEFAULT_PORTS[parts.scheme] if port is None else port)

    @property
    def secure(self) -> bool:
        return self.scheme in ("https", "wss")

    @property
    def authority(self) -> str:
        """What stands in the Host header: the port is left out when it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"
