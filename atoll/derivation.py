"""The settings of a region's parts, made from its one configuration: each part knows its own alone."""

from __future__ import annotations

import msgspec

from atoll.access import Access
from atoll.config import Config
from region.model.expiry import ExpirySettings
from region.model.feed import ConflictSettings
from region.model.key_series import InsightsSettings
from region.model.retention import RetentionSettings
from region.model.stream import StreamSettings
from region.operation.context import RegionSettings
from region.wire import EndpointSettings
from replication import ReplicationSettings


def region_settings(config: Config) -> RegionSettings:
    """Return the settings of engine and operations."""
    return RegionSettings(
        region=config.region,
        account=config.account,
        transition_ms=config.transition_ms,
        streams=StreamSettings(**msgspec.structs.asdict(config.streams)),
        ttl=ExpirySettings(**msgspec.structs.asdict(config.ttl)),
        retention=RetentionSettings(**msgspec.structs.asdict(config.retention)),
        conflicts=ConflictSettings(**msgspec.structs.asdict(config.conflicts)),
        throttling=config.throttling,
        delivers=bool(config.kinesis.endpoint),
        insights=InsightsSettings(**msgspec.structs.asdict(config.insights)),
    )


def endpoint_settings(config: Config, access: Access) -> EndpointSettings:
    """Return the settings of the DynamoDB API; with an access file its credentials alone count."""
    return EndpointSettings(
        region=config.region,
        account=config.account,
        access_keys={} if access.on else config.api.access_keys,
        credentials=access.credentials,
        tokens=config.session.tokens,
        session_wait_ms=config.session.wait_ms,
        staleness=config.session.staleness,
    )


def replication_settings(config: Config) -> ReplicationSettings:
    """Return the settings of the links."""
    return ReplicationSettings(
        region=config.region,
        fence=config.clock.fence,
        fence_ms=config.clock.fence_ms,
        **msgspec.structs.asdict(config.replication),
        **msgspec.structs.asdict(config.repair),
    )
