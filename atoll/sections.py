"""The sections of a region's configuration: every setting, its type, its default and what a valid value looks like.

Invariants: a default is what a newcomer wants: nothing that costs or that closes a door is on. The description of a
type is how an error tells what was expected.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535, description="a port number from 0 to 65535 (0 takes any free port)")]
Milliseconds = Annotated[int, Meta(ge=0, description="a whole number of milliseconds, 0 or more")]
PositiveMilliseconds = Annotated[int, Meta(ge=1, description="a whole number of milliseconds, 1 or more")]
PositiveBytes = Annotated[int, Meta(ge=1, description="a whole number of bytes, 1 or more")]
RegionName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=64,
        description="a region name of lower-case letters, digits and single hyphens, such as us-east-1",
    ),
]
Account = Annotated[str, Meta(pattern=r"^[0-9]{12}$", description="an AWS account number: 12 digits, in quotes")]
Switch = Annotated[bool, Meta(description="true or false")]
BUCKETS: Final = r"^$|^[a-z0-9+]+://.*\{bucket\}"
BUCKETS_EXPECTED: Final = "a URL with {bucket} in it, such as file:///srv/{bucket} or s3://{bucket}"
Texts = Annotated[dict[str, str], Meta(description="names with a text each")]


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where the DynamoDB API is served, and to whom."""

    host: str = "127.0.0.1"
    port: Port = 8000
    access_keys: Texts = {}
    """Secret access keys by access key id. Empty: any credentials are accepted and no signature is checked."""


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do what."""

    file: str = ""
    """The file with principals, their keys and their policies. Empty: everybody may do everything."""


class AdminConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where health, metrics, status and pausing are served."""

    host: str = "127.0.0.1"
    port: Port = 8100


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the region shows to those who connect, and whom it lets in. Paths of PEM files; empty: no TLS."""

    certificate: str = ""
    """The certificate of the API and the admin address, and of links, with what leads to its authority."""
    key: str = ""
    """Its private key; empty: in the same file."""
    authorities: str = ""
    """Whose certificates of clients and of other regions count."""
    client_certificates: Switch = False
    """Whether clients of the API and of the admin address must show a certificate."""
    replication: Switch = False
    """Whether links to other regions are mutual TLS, and no others are made or accepted."""


class EncryptionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Encryption at rest."""

    keyring: str = ""
    """Where the master keys are: a file, ``env:NAME`` or ``command:…``; empty: tables are not encrypted."""
    check_ms: PositiveMilliseconds = 1000
    """How often the keyring is asked whether it has changed."""
    adopt: Switch = True
    """Whether tables from before encryption are taken over; otherwise what they hold in the clear is damage."""


class ReplicationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where peers subscribe to this region, and where this region finds its peers, by their names."""

    host: str = "127.0.0.1"
    port: Port = 8200
    peers: Texts = {}
    heartbeat_ms: PositiveMilliseconds = 250
    silence_ms: PositiveMilliseconds = 1500
    window_bytes: PositiveBytes = 8 << 20
    batch_records: Annotated[int, Meta(ge=1, description="a whole number of records, 1 or more")] = 256
    batch_bytes: PositiveBytes = 1 << 20
    backoff_min_ms: PositiveMilliseconds = 50
    backoff_max_ms: PositiveMilliseconds = 1000
    position_ms: PositiveMilliseconds = 1000
    disassociation_wait_ms: Milliseconds = 60 * 60 * 1000
    """How long a replica that leaves its global table waits for the other members; 0: for ever."""
    detach_after_ms: Milliseconds = 0
    """For how long a region must be away to be detached from its global tables; 0: never. On AWS 20 hours."""
    transactions: Literal["group", "item"] = "group"
    """Whether what a peer wrote in one transaction is applied here all at once, or item by item as on AWS."""


class ClockConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The region's clock and how far the clocks of others may run ahead of it."""

    offset_ms: int = 0
    """Added to the machine's clock: for tests of skewed clocks."""
    drift_warn_ms: PositiveMilliseconds = 500
    drift_park_ms: PositiveMilliseconds = 5000
    fence: Literal["off", "warn", "refuse"] = "warn"
    """What follows when this region's own clock is off from most others: nothing, a warning, or no writes as well."""
    fence_ms: PositiveMilliseconds = 1000


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Session tokens of clients, and what answers say about staleness."""

    wait_ms: Milliseconds = 5000
    """How long a request that presents a token waits for this region to catch up with it."""
    tokens: Switch = True
    """Whether every answer to a write carries a token, asked or not."""
    staleness: Switch = False
    """Whether every answer says how old this region's view of the others may be."""


class StreamsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How the streams of tables are divided into shards."""

    shards: Annotated[int, Meta(ge=1, le=100, description="a whole number of shards from 1 to 100")] = 2
    shard_ms: PositiveMilliseconds = 4 * 60 * 60 * 1000
    shard_bytes: PositiveBytes = 10 << 30


class TtlConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How items with a time to live expire."""

    sweep_ms: PositiveMilliseconds = 1000
    change_ms: Milliseconds = 60 * 60 * 1000
    """How long after a change of a table's TTL the next one is refused; 0: never."""


class ConflictsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept of what lost to concurrent writes."""

    kept: Annotated[int, Meta(ge=1, description="a whole number of entries, 1 or more")] = 10_000
    kept_ms: PositiveMilliseconds = 7 * 24 * 60 * 60 * 1000


class ArchiveConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a region keeps the histories of tables with point-in-time recovery, and where exports and imports are."""

    segment_ms: PositiveMilliseconds = 10 * 60 * 1000
    buckets: Annotated[str, Meta(pattern=BUCKETS, description=BUCKETS_EXPECTED)] = ""
    """Where the S3 buckets of exports and imports are; empty: folders in the data folder."""
    endpoint_url: str = ""
    """Where the object store answers; empty: where AWS's does."""


class CacheConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How ``atoll dax`` caches what is read of this region. The region itself has no cache, and reads none of this."""

    host: str = "127.0.0.1"
    port: Port = 8111
    admin_port: Port = 8112
    item_ttl_ms: Milliseconds = 5 * 60 * 1000
    query_ttl_ms: Milliseconds = 5 * 60 * 1000
    item_bytes: PositiveBytes = 128 << 20
    query_bytes: PositiveBytes = 64 << 20
    invalidate: Switch = False
    """Whether what changes in the region, by whoever, is dropped at once. DAX has no such switch."""
    lists: str = ""
    """The file of the attribute lists that clients were told of; empty: in the user's cache."""


class InsightsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much Contributor Insights keeps of each of its rules, while they are on."""

    keys: Annotated[int, Meta(ge=1, description="a whole number of keys, 1 or more")] = 1000
    minutes: Annotated[int, Meta(ge=1, description="a whole number of minutes, 1 or more")] = 180


class KinesisConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where Kinesis streams are, that tables send their changes to, and who this region is to them."""

    endpoint: Annotated[str, Meta(pattern=r"^$|^https?://", description="a URL such as http://127.0.0.1:4567")] = ""
    """Empty: nothing is delivered."""
    access_key_id: str = "atoll"
    secret_access_key: str = "atoll"


class RetentionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How long the change log and tombstones are kept."""

    log_ms: PositiveMilliseconds = 24 * 60 * 60 * 1000
    log_bytes: PositiveBytes = 4 << 30
    tombstone_ms: PositiveMilliseconds = 24 * 60 * 60 * 1000
    sweep_ms: PositiveMilliseconds = 10_000


class RepairConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas are compared with each other: how often (0: never), and with digests counted anew at a start."""

    compare_ms: Milliseconds = 60_000
    recount_at_start: Switch = False


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged to standard error, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
