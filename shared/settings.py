"""One typed tree of settings: environment (prefix ``KESTREL_``, nested by ``__``) and ``.env``.

Every field's description begins with its unit. A wrong value or an unknown name is refused at
start, by name. What belongs to a user or an account is not here but in ``shared/rules/preferences.py``.

A ``.env`` is looked for in the current directory and in the checkout; the environment wins over
both, the current directory over the checkout. ``KESTREL_ENV_FILE`` names another file (or several,
with ``:`` between them, the strongest last) instead of the two. ``python -m shared.settings`` prints ``.env.example``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared import redact
from shared.errors import SettingsError

PREFIX = "KESTREL_"
NESTED = "__"
ENV_FILE = f"{PREFIX}ENV_FILE"
ROOT = Path(__file__).resolve().parent.parent
SHORTEST_PASSWORD = 8
LONG_PASSWORD = 12


def _url(*schemes: str) -> AfterValidator:
    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"write {' or '.join(schemes)}://host[:port]")
        if "@" in parts.netloc:
            raise ValueError("no user name or password belongs in this URL")
        return text.rstrip("/")

    return AfterValidator(check)


def _postgres_url(secret: SecretStr) -> SecretStr:
    """The form that both psycopg and SQLAlchemy take; the value is never part of the message."""
    text = secret.get_secret_value()
    scheme, _, rest = text.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg") or not rest:
        raise ValueError("write postgresql://user:password@host:port/database")
    return SecretStr(f"postgresql://{rest}")


def _who(secret: SecretStr) -> SecretStr:
    """``user:password``; the value is never part of the message."""
    user, _, password = secret.get_secret_value().partition(":")
    if not user or len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"write user:password, the password with at least {SHORTEST_PASSWORD} characters")
    return secret


def _list(value: object) -> object:
    """A JSON list, or plain text with commas."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError("this JSON list is not complete") from None
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100  (links are kept: resolve() would follow them)


HttpUrl = Annotated[str, _url("https", "http")]
StreamUrl = Annotated[str, _url("wss", "ws")]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LogSettings(Section):
    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="name: lowest level written: debug, info, warning or error"
    )
    max_bytes: int = Field(10_000_000, ge=10_000, description="bytes: a log file is rotated at this size")
    backups: int = Field(5, ge=1, le=100, description="files: rotated files kept per process")


class WebSettings(Section):
    port: int = Field(8501, ge=1, le=65535, description="port: the web page, on 127.0.0.1")


class ExchangeSettings(Section):
    port: int = Field(
        9500, ge=0, le=65535, description="port: the paper exchange, on 127.0.0.1; 0 = any free one"
    )


class PaperSettings(Section):
    url: HttpUrl = Field(
        "http://127.0.0.1:9500", description="URL: the paper exchange, for paper accounts and their prices"
    )
    ca_file: AbsolutePath | None = Field(
        None, description="path: CA certificate of a paper exchange started with --tls"
    )


class BitgetSettings(Section):
    rest_url: HttpUrl = Field("https://api.bitget.com", description="URL: REST host for live accounts")
    ws_public_url: StreamUrl = Field("wss://ws.bitget.com/v2/ws/public", description="URL: public websocket")
    ws_private_url: StreamUrl = Field(
        "wss://ws.bitget.com/v2/ws/private", description="URL: private websocket"
    )
    ws_v3_private_url: StreamUrl = Field(
        "wss://ws.bitget.com/v3/ws/private", description="URL: private websocket of unified accounts"
    )


class BinanceSettings(Section):
    rest_url: HttpUrl = Field("https://fapi.binance.com", description="URL: REST host for live accounts")
    ws_url: StreamUrl = Field(
        "wss://fstream.binance.com", description="URL: websocket host, for prices and for private events"
    )


class UpbitSettings(Section):
    hosts: Annotated[list[HttpUrl], BeforeValidator(_list)] = Field(
        ["https://pub-info.upbit.com", "https://api-manager.upbit.com"],
        min_length=1,
        max_length=16,
        description="URLs, with commas or as a JSON list: hosts that serve the notices; each is polled on its own connection",
    )
    poll_s: float = Field(3.0, ge=0.02, le=600, description="seconds: between two polls of one host")
    max_age_s: float = Field(
        5.0, gt=0, le=3600, description="seconds: a notice older than this is never acted on"
    )


class TraderSettings(Section):
    spin: bool = Field(False, description="true/false: spin the event loop; needs a core of its own")
    ops_port: int = Field(
        9510, ge=0, le=65535, description="port: health of the trader, on 127.0.0.1; 0 = any free one"
    )
    order_timeout_s: float = Field(
        5.0, gt=0, le=60, description="seconds: after this an unanswered order is unknown"
    )
    instruments_s: float = Field(
        30.0, ge=0.5, le=3600, description="seconds: between two reads of the instrument list"
    )
    positions_s: float = Field(
        5.0, ge=0.5, le=300, description="seconds: between two reads of positions and equity"
    )
    take_profit_attach: float = Field(
        0.10,
        ge=0,
        le=10,
        description="fraction: a take profit at least this far from the market rides on the entry, a nearer one is placed on the fill",
    )
    journal_segment_bytes: int = Field(
        8_000_000, ge=100_000, description="bytes: a journal segment is closed at this size"
    )
    lease_s: float = Field(
        90.0,
        ge=3,
        le=3600,
        description="seconds: entries go on so long without Postgres, and so long another installation waits after a death; renewed six times as often",
    )


class DatabaseSettings(Section):
    max_connections: int = Field(120, ge=20, le=1000, description="connections: of the embedded Postgres")
    shared_buffers_mb: int = Field(
        128, ge=16, le=65536, description="MB: shared_buffers of the embedded Postgres"
    )


class FlowsSettings(Section):
    run: bool = Field(True, description="true/false: `kestrel up` starts the Prefect server and its worker")
    port: int = Field(
        4200, ge=0, le=65535, description="port: Prefect's page and API, on 127.0.0.1; 0 = any free one"
    )
    worker_port: int = Field(
        4210, ge=0, le=65535, description="port: health of the worker, on 127.0.0.1; 0 = any free one"
    )
    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = Field(
        None,
        description="URL: Prefect's own database; empty = `prefect` on the embedded Postgres, else NAME_prefect beside KESTREL_DATABASE_URL",
    )
    password: Annotated[SecretStr, AfterValidator(_who)] | None = Field(
        None, description="user:password: what Prefect's page and API ask for; empty = nothing"
    )
    limit: int = Field(2, ge=1, le=64, description="runs: flow runs at the same time; each is a process")


class CotSettings(Section):
    socrata_url: HttpUrl = Field(
        "https://publicreporting.cftc.gov", description="URL: query service of the CFTC"
    )
    files_url: HttpUrl = Field(
        "https://www.cftc.gov/files/dea/history", description="URL: folder of the CFTC's yearly files"
    )
    app_token: SecretStr | None = Field(
        None,
        description="text: application token of the query service; empty = none, which works with a lower limit",
    )
    timeout_s: float = Field(30.0, gt=0, le=600, description="seconds: the longest silence of a source")
    retry_s: float = Field(
        5.0,
        ge=0,
        le=600,
        description="seconds: before the first repetition of what failed; doubled each time",
    )
    history_from: date = Field(
        date(2006, 6, 13), description="date: the history begins here when nothing is stored"
    )
    overlap_weeks: int = Field(
        8, ge=0, le=520, description="weeks: read again each time, to find corrections"
    )


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        env_ignore_empty=True,
        enable_decoding=False,  # lists are read by _list
        extra="ignore",  # a .env may serve other programs too; unknown KESTREL_ names are refused by load()
        frozen=True,
        validate_default=True,
    )
    home: AbsolutePath = Field(
        default_factory=lambda: Path("/var/lib/kestrel") if os.geteuid() == 0 else ROOT / "var",
        description="path: state, keys, journal, logs (default: var/ of the checkout, for root /var/lib/kestrel)",
    )
    database_url: Annotated[SecretStr, AfterValidator(_postgres_url)] | None = Field(
        None, description="URL: a Postgres of your own; empty = the embedded one"
    )
    live: bool = Field(
        False, description="true/false: live accounts may trade (each user must be enabled besides)"
    )
    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    paper: PaperSettings = PaperSettings()
    bitget: BitgetSettings = BitgetSettings()
    binance: BinanceSettings = BinanceSettings()
    upbit: UpbitSettings = UpbitSettings()
    trader: TraderSettings = TraderSettings()
    database: DatabaseSettings = DatabaseSettings()
    flows: FlowsSettings = FlowsSettings()
    cot: CotSettings = CotSettings()


def env_files() -> list[Path]:
    """The ``.env`` files that are read, the strongest last."""
    named = os.environ.get(ENV_FILE)
    if named:
        return [Path(part) for part in named.split(os.pathsep) if part]
    return [path for path in dict.fromkeys((ROOT / ".env", Path.cwd() / ".env")) if path.is_file()]


def names(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[tuple[str, Any]]:
    """Every setting's environment name with its pydantic field, in the order of the tree."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from names(field.annotation, f"{prefix}{name.upper()}{NESTED}")
        else:
            yield f"{prefix}{name.upper()}", field


def load() -> Settings:
    """Read environment and ``.env``; raise :class:`SettingsError` naming every wrong value."""
    read = env_files()
    _refuse_unknown(read)
    try:
        found = Settings(_env_file=read)
    except ValidationError as error:
        wrong = "; ".join(
            f"{PREFIX}{NESTED.join(str(part) for part in item['loc']).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"wrong setting: {wrong}") from None
    for secret in secrets(found):
        redact.hide(secret)
    return found


def secrets(model: BaseModel) -> Iterator[str]:
    """Every secret value of the settings: whole, and the passwords inside URLs and ``user:password``."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from secrets(value)
        elif isinstance(value, SecretStr):
            text = value.get_secret_value()
            inner = urlsplit(text).password if "://" in text else text.partition(":")[2]
            yield from (part for part in (text, inner) if part and worth_hiding(part))


def worth_hiding(secret: str) -> bool:
    """Whether a value may be taken out of logs wherever it stands: a short plain word may mean something else."""
    return len(secret) >= LONG_PASSWORD or (
        len(secret) >= SHORTEST_PASSWORD and not (secret.isalpha() and secret.islower())
    )


def _refuse_unknown(read: list[Path]) -> None:
    from dotenv import dotenv_values  # noqa: PLC0415  (pydantic-settings has loaded it by now)

    given = dict.fromkeys(os.environ, "the environment")
    for path in read:
        if not path.exists():
            raise SettingsError(f"{path} cannot be read: there is no such file ({ENV_FILE})")
        try:
            given.update(dict.fromkeys(dotenv_values(path, interpolate=False), str(path)))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from None
    known = [name for name, _ in names()] + [ENV_FILE]
    for name, where in given.items():
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            from difflib import get_close_matches  # noqa: PLC0415  (only on the way out)

            near = get_close_matches(name.upper(), known, 1, 0)[0]
            raise SettingsError(f"there is no setting {name} (in {where}): did you mean {near}?")


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return load()


def example() -> str:
    """``.env.example``: every name with its unit and default, commented out."""
    lines = [
        "# Kestrel's settings. Copy this file to .env and take the # from what you change.",
        "# The environment wins over .env; KESTREL_ENV_FILE=path reads another file instead.",
        "# Each line says the unit first; the value shown is the default.",
    ]
    section = ""
    for name, field in names():
        group = name.removeprefix(PREFIX).partition(NESTED)[0] if NESTED in name else ""
        if group != section:
            section = group
            lines += ["", f"# --- {group.lower()}"]
        lines += ["", f"# {field.description}", f"# {name}={_text(field.default)}"]
    return "\n".join(lines) + "\n"


def _text(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return json.dumps(default)
    if isinstance(default, date):
        return default.isoformat()
    return str(default) if isinstance(default, (str, int, float)) else ""


if __name__ == "__main__":
    sys.stdout.write(example())
