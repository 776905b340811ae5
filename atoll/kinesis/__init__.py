"""Delivery to Kinesis: what changes in a table goes out to the stream that its destination names.

Hazard: what delivers is loaded only where an endpoint is configured; a start cannot spare the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.config import Config

if TYPE_CHECKING:
    from atoll.kinesis.delivery import Delivery
    from region.engine import Engine


def build(config: Config, engine: Engine) -> Delivery | None:
    """Return what delivers the changes of a region, if there is anything to deliver to."""
    kinesis = config.kinesis
    if not kinesis.endpoint:
        return None
    from atoll.kinesis.client import Credentials, KinesisClient  # noqa: PLC0415  See the hazard.
    from atoll.kinesis.delivery import Delivery  # noqa: PLC0415  See the hazard.

    credentials = Credentials(kinesis.access_key_id, kinesis.secret_access_key)
    return Delivery(engine, KinesisClient(kinesis.endpoint, config.region, credentials))
