"""The configuration of one region: every setting, its type, its default, and where its value comes from.

What: a setting has one dotted path (``api.port``) and one environment variable made from it (``ATOLL_API_PORT``).
The sections are in :mod:`atoll.sections`. Values come from, in rising order of strength: their defaults, a TOML (or
JSON) file, the environment, and the flags of the command. :func:`load` puts them together and refuses what does not
fit, naming the place and the remedy.

Invariants: the structs are the only list of settings; ``docs/reference/configuration.md`` describes each of
them, which a test checks. A configuration, once loaded, does not change.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from atoll.failure import ConfigError, UsageError
from atoll.sections import (
    AccessConfig,
    Account,
    AdminConfig,
    ApiConfig,
    ArchiveConfig,
    CacheConfig,
    ClockConfig,
    ConflictsConfig,
    EncryptionConfig,
    InsightsConfig,
    KinesisConfig,
    LogConfig,
    Milliseconds,
    RegionName,
    RepairConfig,
    ReplicationConfig,
    RetentionConfig,
    SessionConfig,
    StreamsConfig,
    Switch,
    Texts,
    TlsConfig,
    TtlConfig,
)
from atoll.triggers.settings import TriggerSettings, check, kind_of

__all__ = [
    "AccessConfig",
    "AdminConfig",
    "ApiConfig",
    "ArchiveConfig",
    "CacheConfig",
    "ClockConfig",
    "Config",
    "ConflictsConfig",
    "EncryptionConfig",
    "InsightsConfig",
    "KinesisConfig",
    "LogConfig",
    "RepairConfig",
    "ReplicationConfig",
    "RetentionConfig",
    "SessionConfig",
    "Setting",
    "StreamsConfig",
    "TlsConfig",
    "TtlConfig",
    "did_you_mean",
    "encode",
    "load",
    "parse",
    "settings",
]

PREFIX: Final = "ATOLL_"
SECRETS: Final = ("api.access_keys", "kinesis.secret_access_key")
"""The settings whose values are never shown, not even in an error."""
SWITCH_WORDS: Final = {"on": True, "off": False}
"""How people write a switch too; TOML wants these in quotes."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one region."""

    region: RegionName = "us-east-1"
    account: Account = "000000000000"
    data: str = "atoll-data"
    """The folder of this region's files. It belongs to one region alone."""
    durability: Literal["full", "normal", "memory"] = "normal"
    """``full``: answered writes survive a power cut; ``normal``: they survive kill -9; ``memory``: nothing is kept."""
    transition_ms: Milliseconds = 0
    """How long tables and indexes show CREATING, UPDATING and DELETING."""
    chaos: Switch = False
    """Whether the admin address may set this region's clock wrong and make its disk fail, for experiments."""
    throttling: Switch = False
    """Whether requests beyond a table's provisioned or maximum throughput are refused."""
    api: ApiConfig = ApiConfig()
    replication: ReplicationConfig = ReplicationConfig()
    admin: AdminConfig = AdminConfig()
    tls: TlsConfig = TlsConfig()
    access: AccessConfig = AccessConfig()
    encryption: EncryptionConfig = EncryptionConfig()
    clock: ClockConfig = ClockConfig()
    session: SessionConfig = SessionConfig()
    streams: StreamsConfig = StreamsConfig()
    ttl: TtlConfig = TtlConfig()
    retention: RetentionConfig = RetentionConfig()
    repair: RepairConfig = RepairConfig()
    conflicts: ConflictsConfig = ConflictsConfig()
    archive: ArchiveConfig = ArchiveConfig()
    cache: CacheConfig = CacheConfig()
    insights: InsightsConfig = InsightsConfig()
    kinesis: KinesisConfig = KinesisConfig()
    functions: Texts = {}
    """What triggers may call, by name: ``module:callable``, an HTTP URL or ``lambda://host:port/NAME``."""
    triggers: Annotated[tuple[TriggerSettings, ...], Meta(description="a list of [[triggers]], see triggers.md")] = ()
    log: LogConfig = LogConfig()


class Setting(NamedTuple):
    """One setting: its dotted path, its environment variable, its type and what a valid value looks like."""

    path: str
    variable: str
    type: Any
    expected: str
    default: Any


def settings() -> dict[str, Setting]:
    """Return every setting by its path, in the order of the structs."""
    return {setting.path: setting for setting in _settings(Config, "")}


def _settings(struct: type[msgspec.Struct], prefix: str) -> Iterator[Setting]:
    for field in msgspec.structs.fields(struct):
        path = prefix + field.name
        if isinstance(field.default, msgspec.Struct):
            yield from _settings(type(field.default), path + ".")
            continue
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        yield Setting(path, PREFIX + path.replace(".", "_").upper(), field.type, _expected(field.type), default)


def _expected(kind: Any) -> str:
    for meta in getattr(kind, "__metadata__", ()):
        if meta.description:
            return str(meta.description)
    if values := getattr(kind, "__args__", None):
        return "one of " + ", ".join(f'"{value}"' for value in values)
    return "a whole number" if kind is int else "text in quotes"


def load(
    file: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """Put a configuration together.

    Args:
        file: a TOML file, or a JSON file if its name ends in ``.json``.
        environment: the environment variables; only those that begin with ``ATOLL_`` are looked at.
        flags: values by dotted path, as the command line gives them; ``None`` values count as not given.

    Raises:
        ConfigError: something does not fit; the message names the setting, the place and the remedy.
    """
    known = settings()
    values: dict[str, Any] = {}
    if file is not None:
        place = str(file)
        for path, value in _flatten(_read(Path(file)), known, place):
            values[path] = _convert(known[path], value, f"{path} in {place}", strict=True)
    for path, name, text in _from_environment(known, environment or {}):
        values[path] = _convert(
            known[path], parse(known[path], text, f"The variable {name}"), f"the variable {name}", strict=False
        )
    for path, value in (flags or {}).items():
        if value is not None:
            values[path] = _convert(known[path], value, f"the flag for {path}", strict=False)
    return _check(_build(Config, "", values))


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The configuration file {file} cannot be read: {error.strerror}.", "Give the path of a TOML file."
        ) from error
    try:
        if file.suffix == ".json":
            return msgspec.json.decode(raw, type=dict[str, Any])
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = "JSON" if file.suffix == ".json" else "TOML"
        problem = f"The configuration file {file} is not valid {kind}: {error}."
        raise ConfigError(problem, "Correct it there.") from error


def _flatten(
    table: Mapping[str, Any], known: Mapping[str, Setting], place: str, prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Turn nested tables into dotted paths, refusing what is not a setting."""
    sections = {name.rpartition(".")[0] for name in known} - {""}
    for name, value in table.items():
        path = prefix + name
        if path in known:
            yield path, value
        elif path in sections and isinstance(value, Mapping):
            yield from _flatten(value, known, place, path + ".")
        elif path in sections:
            raise ConfigError(
                f"{path} in {place} is {_shown(value)}, but it is a section.", f"Write its settings under [{path}]."
            )
        else:
            raise ConfigError(f"There is no setting {path} (in {place}).", did_you_mean(path))


def _from_environment(known: Mapping[str, Setting], environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Pick the settings out of the environment.

    A name one slip away from a setting is an error; other names that begin alike belong to someone else.
    """
    variables = {setting.variable: setting.path for setting in known.values()}
    for name, text in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name in variables:
            yield variables[name], name, text
        elif close := difflib.get_close_matches(name, variables, n=1, cutoff=0.9):
            raise ConfigError(f"The environment variable {name} is no setting.", f"Did you mean {close[0]}?")


def parse(setting: Setting, text: str, where: str) -> Any:
    """Read the text form of a setting: ``name=text,name=text`` for tables, the text itself for all else.

    Raises:
        ConfigError: it has no such form.
    """
    if not isinstance(setting.default, dict):
        return text
    pairs: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"{where} has a part that is no name=text.", "Write name=text, and separate several with commas."
            )
        pairs[key.strip()] = value.strip()
    return pairs


def _convert(setting: Setting, value: Any, where: str, *, strict: bool) -> Any:
    if setting.type == Switch and isinstance(value, str):
        value = SWITCH_WORDS.get(value.lower(), value)
    try:
        return msgspec.convert(value, setting.type, strict=strict)
    except msgspec.ValidationError as error:
        shown = "not right" if setting.path in SECRETS else _shown(value)
        problem = f"{where[0].upper()}{where[1:]}" if where.startswith("the ") else where
        expected = f"{setting.expected} ({error})" if isinstance(setting.default, tuple) else setting.expected
        raise ConfigError(f"{problem} is {shown}.", f"Expected {expected}.") from error


def _shown(value: Any) -> str:
    """Return a value as a person would write it, shortened."""
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else text[:57] + "..."


def did_you_mean(path: str) -> str:
    """Return a remedy for a setting that does not exist: the nearest one that does."""
    names = list(settings())
    last = path.rpartition(".")[2]
    close = difflib.get_close_matches(path, names, n=1, cutoff=0.6) or [
        name for name in names if name.rpartition(".")[2] == last
    ]
    return f"Did you mean {close[0]}?" if close else "See docs/reference/configuration.md for all settings."


def _build(struct: type[Any], prefix: str, values: Mapping[str, Any]) -> Any:
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        path = prefix + field.name
        if isinstance(field.default, msgspec.Struct):
            fields[field.name] = _build(type(field.default), path + ".", values)
        elif path in values:
            fields[field.name] = values[path]
    return struct(**fields)


def _check(config: Config) -> Config:
    """Check what no single setting shows."""
    if config.region in config.replication.peers:
        raise ConfigError(
            f"replication.peers names {config.region}, which is this region itself.", "List the other regions only."
        )
    for region, url in config.replication.peers.items():
        if not url.startswith(("ws://", "wss://")):
            raise ConfigError(
                f"replication.peers.{region} is {_shown(url)}.",
                "Expected a WebSocket URL such as ws://127.0.0.1:8201.",
            )
    _check_tls(config)
    _check_triggers(config)
    clock, replication = config.clock, config.replication
    ordered = (
        ("clock.drift_warn_ms", clock.drift_warn_ms, "clock.drift_park_ms", clock.drift_park_ms),
        ("replication.heartbeat_ms", replication.heartbeat_ms, "replication.silence_ms", replication.silence_ms),
        (
            "replication.backoff_min_ms",
            replication.backoff_min_ms,
            "replication.backoff_max_ms",
            replication.backoff_max_ms,
        ),
    )
    for lower, low, higher, high in ordered:
        if low > high:
            raise ConfigError(f"{lower} ({low}) is above {higher} ({high}).", "Make it the smaller of the two.")
    return config


def _check_tls(config: Config) -> None:
    tls = config.tls
    wants = "tls.replication" if tls.replication else "tls.client_certificates" if tls.client_certificates else ""
    for setting, value in (("tls.certificate", tls.certificate), ("tls.authorities", tls.authorities)):
        if wants and not value:
            raise ConfigError(f"{wants} is on, but {setting} is not set.", "Name a PEM file there.")
    if tls.key and not tls.certificate:
        raise ConfigError("tls.key is set, but tls.certificate is not.", "Name the certificate of the key.")
    for region, url in config.replication.peers.items():
        if tls.replication and not url.startswith("wss://"):
            raise ConfigError(
                f"replication.peers.{region} is {_shown(url)}, but tls.replication is on.",
                "Write wss:// for ws://: no plain link is made then.",
            )


def _check_triggers(config: Config) -> None:
    """Check the triggers of a configuration, each for itself and all by their names."""
    names = [trigger.name for trigger in config.triggers]
    for trigger in config.triggers:
        try:
            check(trigger)
        except UsageError as error:
            raise ConfigError(error.problem, error.remedy) from error
        if names.count(trigger.name) > 1:
            raise ConfigError(f"There are several triggers called {trigger.name}.", "Give each a name of its own.")
        if kind_of(trigger.function) == "name" and trigger.function not in config.functions:
            raise ConfigError(
                f"The trigger {trigger.name} calls {trigger.function}, which [functions] does not have.",
                "Name a function there, or write module:callable or a URL.",
            )


def encode(config: Config) -> bytes:
    """Encode a configuration as the JSON that :func:`load` reads."""
    return msgspec.json.format(msgspec.json.encode(config), indent=2)
