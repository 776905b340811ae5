"""A DynamoDB client like aioboto3's, whose regions are simulated in the same process.

What: every operation is a coroutine method under botocore's name (``put_item``, ``transact_write_items``, …). Requests
are validated and serialised, and answers parsed, by botocore itself from its own service model, so shapes and errors
are those of the real client: ``botocore.exceptions.ClientError`` and its like. Paginators and waiters are botocore's
models, too. What lies between is the simulated network and the product's own dispatcher.

Invariants: a call that fails for want of an answer, or with a 5xx or a throttle, is tried again as botocore does, with
waits in virtual time; so a write may take effect twice, as in real life. Every acknowledged write is noted with its
request id, for :meth:`~atoll.world.World.assert_no_lost_writes`.

Hazard: there is no resource layer (``Table``), as there is none in most asynchronous code.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cache, partial
from typing import Any, Final, NamedTuple, Self

from botocore import xform_name
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.waiter import WaiterModel

from atoll.failure import UsageError
from chaos.simulation.client import SimulatedClient
from chaos.workload.client import CallError
from region.randomness import Rng

ATTEMPTS: Final = 4
BACKOFF_S: Final = 0.05
RETRIED: Final = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "InternalServerError"}
)
WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
SERVICE: Final = "dynamodb"

Noted = Callable[[str, str, str, dict[str, Any]], None]
"""Told of each acknowledged write: region, request id, operation and parameters."""


class Shapes(NamedTuple):
    """What botocore knows of DynamoDB."""

    model: ServiceModel
    operations: dict[str, OperationModel]
    paginators: dict[str, Any]
    waiters: WaiterModel


@cache
def shapes() -> Shapes:
    """Load botocore's models of DynamoDB, once."""
    loader = Loader()
    model = ServiceModel(loader.load_service_model(SERVICE, "service-2"), SERVICE)
    operations = {xform_name(name): model.operation_model(name) for name in model.operation_names}
    paginators = loader.load_service_model(SERVICE, "paginators-1")["pagination"]
    waiters = WaiterModel(loader.load_service_model(SERVICE, "waiters-2"))
    return Shapes(model, operations, {xform_name(name): it for name, it in paginators.items()}, waiters)


class DynamoDBClient:
    """A client of one simulated region; also an asynchronous context, as aioboto3's clients are."""

    def __init__(self, client: SimulatedClient, rng: Rng, noted: Noted) -> None:
        self._client = client
        self._rng = rng
        self._noted = noted
        self._serializer = create_serializer("json")
        self._parser = create_parser("json")
        self.region = client.region

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    async def close(self) -> None:
        """There is nothing to close."""

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, dict[str, Any]]]:
        if name not in shapes().operations:
            raise AttributeError(f"a DynamoDB client has no operation {name}")
        return partial(self._call, shapes().operations[name])

    def get_paginator(self, operation_name: str) -> Paginator:
        """Return the paginator of an operation (``query``, ``scan``, ``list_tables``, …)."""
        if operation_name not in shapes().paginators:
            raise ValueError(f"{operation_name} has no paginator; these have: {', '.join(shapes().paginators)}")
        return Paginator(getattr(self, operation_name), shapes().paginators[operation_name])

    def get_waiter(self, waiter_name: str) -> Waiter:
        """Return a waiter (``table_exists``, ``table_not_exists``, …)."""
        names = {xform_name(name): name for name in shapes().waiters.waiter_names}
        if waiter_name not in names:
            raise ValueError(f"there is no waiter {waiter_name}; there are: {', '.join(names)}")
        return Waiter(self, shapes().waiters.get_waiter(names[waiter_name]))

    async def _call(self, operation: OperationModel, **parameters: Any) -> dict[str, Any]:
        attempt = 1
        while True:
            try:
                return await self._attempt(operation, parameters)
            except (ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError) as error:
                code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
                if attempt >= ATTEMPTS or (isinstance(error, ClientError) and code not in RETRIED):
                    raise
            await asyncio.sleep(self._rng.uniform(0, BACKOFF_S * 2**attempt))
            attempt += 1

    async def _attempt(self, operation: OperationModel, parameters: dict[str, Any]) -> dict[str, Any]:
        request = self._serializer.serialize_to_request(parameters, operation)
        url = f"https://{SERVICE}.{self.region}.amazonaws.com/"
        headers = {name.lower().encode(): str(value).encode() for name, value in request["headers"].items()}
        body = request["body"]
        try:
            answer = await self._client.exchange(headers, body if isinstance(body, bytes) else str(body).encode())
        except CallError as error:
            if error.name == "ConnectionRefused":
                raise EndpointConnectionError(endpoint_url=url, error=error) from error
            if error.name == "Timeout":
                raise ReadTimeoutError(endpoint_url=url, error=error) from error
            raise ConnectionClosedError(endpoint_url=url, error=error, request=None) from error
        parsed: dict[str, Any] = self._parser.parse(_response(answer), operation.output_shape)  # type: ignore[arg-type]  # The stubs forget operations without output.
        if parsed["ResponseMetadata"]["HTTPStatusCode"] >= 300:
            raise ClientError(parsed, operation.name)  # type: ignore[arg-type]  # It is what botocore passes itself.
        if operation.name in WRITES:
            self._noted(self.region, parsed["ResponseMetadata"]["RequestId"], operation.name, parameters)
        return parsed


class Paginator:
    """Iterates over the pages of an operation."""

    def __init__(self, call: Callable[..., Coroutine[Any, Any, dict[str, Any]]], config: dict[str, Any]) -> None:
        self._call = call
        self._config = config

    async def paginate(self, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield page after page; ``PaginationConfig`` may bound the ``PageSize``."""
        config = parameters.pop("PaginationConfig", None) or {}
        if "PageSize" in config and "limit_key" in self._config:
            parameters[self._config["limit_key"]] = config["PageSize"]
        while True:
            page = await self._call(**parameters)
            yield page
            token = page.get(self._config["output_token"])
            if not token:
                return
            parameters[self._config["input_token"]] = token


class Waiter:
    """Waits, in virtual time, until a resource is in a state."""

    def __init__(self, client: DynamoDBClient, config: Any) -> None:
        self._client = client
        self._config = config

    async def wait(self, **parameters: Any) -> None:
        """Ask again and again.

        Raises:
            UsageError: it did not get there, or can get there no more.
        """
        custom = parameters.pop("WaiterConfig", None) or {}
        call = getattr(self._client, xform_name(self._config.operation))
        for _ in range(custom.get("MaxAttempts", self._config.max_attempts)):
            try:
                answer = await call(**parameters)
            except ClientError as error:
                answer = error.response
            state = next((it.state for it in self._config.acceptors if it.matcher_func(answer)), "retry")
            if state == "success":
                return
            if state == "failure" or ("Error" in answer and state != "retry"):
                break
            await asyncio.sleep(custom.get("Delay", self._config.delay))
        raise UsageError(f"{self._config.operation} never came to what was waited for.", "")


def _response(answer: bytes) -> dict[str, Any]:
    """Return the bytes of an answer as botocore's parsers want them."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.partition(": ")[::2] for line in lines[1:])
    return {"headers": _Headers(headers), "body": body, "status_code": int(lines[0].split(" ", 2)[1])}


class _Headers(dict[str, str]):
    """Headers of an answer, found under their names in lower case too, as botocore's parsers look for them."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(headers)
        self.update({name.lower(): value for name, value in headers.items()})
