"""TLS as a client. Certificates are always verified; no setting turns that off."""

from __future__ import annotations

import ssl
from pathlib import Path

from shared.errors import UsageError


def client_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """A verifying context: the system's authorities, or only those of ``ca_file`` (PEM) when given."""
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot read the CA certificate {ca_file}: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
