"""A small Kinesis of our own, for tests: PutRecords and DescribeStreamSummary, held to botocore's model and signer.

Requests are checked against the service model's shapes and their signature is verified, so what passes here is what AWS
would understand. What goes wrong is planned by the test, one fault for each coming PutRecords.
"""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import botocore.session
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

ACCESS_KEY_ID, SECRET = "AKIDATOLL", "the secret of a test"
REQUEST_RECORDS_MAX, REQUEST_BYTES_MAX = 500, 5 << 20

THROTTLE, INTERNAL, LOSE_ANSWER, PARTIAL = "throttle", "internal", "lose the answer", "partial"


class Received(NamedTuple):
    """A record as it arrived."""

    partition_key: str
    body: dict[str, Any]


class KinesisServer:
    """The endpoint, in a thread of its own. ``streams`` are the names of the streams that there are."""

    def __init__(self, *streams: str) -> None:
        self.streams: dict[str, list[Received]] = {name: [] for name in streams}
        self.faults: deque[str] = deque()
        self.requests = 0
        self.complaints: list[str] = []
        """What a client did that AWS would refuse; stays empty."""
        self.url = ""
        self._changed = threading.Condition()
        self._model = botocore.session.get_session().get_service_model("kinesis")
        self._open = asyncio.Event()
        self._open.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hold(self) -> None:
        """Answer no request until :meth:`release`."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def release(self) -> None:
        """Answer what waits, and what comes."""
        self._loop.call_soon_threadsafe(self._open.set)

    def wait(self, claim: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait until something holds, looked at after each request."""
        with self._changed:
            assert self._changed.wait_for(claim, timeout_s), "it did not come to hold"

    async def _start(self) -> str:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_post("/", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        operation = request.headers["X-Amz-Target"].removeprefix("Kinesis_20131202.")
        parameters = json.loads(body)
        self._verify(request, body)
        for record in parameters.get("Records", ()):
            record["Data"] = b64decode(record["Data"], validate=True)
        shape = self._model.operation_model(operation).input_shape
        report = ParamValidator().validate(parameters, shape)
        if report.has_errors():
            self.complaints.append(report.generate_report())
        await self._open.wait()
        stream = parameters["StreamARN"].rpartition("/")[2]
        if stream not in self.streams:
            return _error(400, "ResourceNotFoundException", f"Stream {stream} under account 000000000000 not found.")
        if operation == "DescribeStreamSummary":
            return _answer({"StreamDescriptionSummary": {"StreamName": stream, "StreamStatus": "ACTIVE"}})
        return self._put(request, stream, parameters["Records"])

    def _put(self, request: web.Request, stream: str, records: list[dict[str, Any]]) -> web.StreamResponse:
        size = sum(len(it["Data"]) + len(it["PartitionKey"]) for it in records)
        if not 0 < len(records) <= REQUEST_RECORDS_MAX or size > REQUEST_BYTES_MAX:
            self.complaints.append(f"{len(records)} records, {size} bytes")
        fault = self.faults.popleft() if self.faults else None
        self.requests += 1
        results: list[dict[str, Any]] = []
        taken: list[Received] = []
        for position, record in enumerate(records):
            if fault in (THROTTLE, INTERNAL) or (fault == PARTIAL and position % 2 == 0):
                code = "ProvisionedThroughputExceededException"
                results.append({"ErrorCode": code, "ErrorMessage": f"Rate exceeded for shard {position}"})
            else:
                taken.append(Received(record["PartitionKey"], json.loads(record["Data"])))
                results.append({"SequenceNumber": str(len(taken)), "ShardId": "shardId-000000000000"})
        with self._changed:
            self.streams[stream] += taken
            self._changed.notify_all()
        if fault == THROTTLE:
            return _error(400, "ProvisionedThroughputExceededException", "Rate exceeded")
        if fault == INTERNAL:
            return _error(500, "InternalFailureException", "Internal Service Failure")
        if fault == LOSE_ANSWER and request.transport is not None:
            request.transport.close()
        failed = sum("ErrorCode" in it for it in results)
        return _answer({"FailedRecordCount": failed, "Records": results})

    def _verify(self, request: web.Request, body: bytes) -> None:
        """Check that the request is signed by the test's own key."""
        authorization = request.headers["Authorization"]
        region = authorization.split("/")[2]
        signed = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        headers = {name: request.headers[name] for name in signed if name != "host"}
        copy = AWSRequest("POST", f"http://{request.headers['Host']}/", data=body, headers=headers)
        copy.context["timestamp"] = request.headers["X-Amz-Date"]
        signer = SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET), "kinesis", region)
        signature = signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)
        if not authorization.endswith(f"Signature={signature}"):
            self.complaints.append(f"not signed right: {authorization}")


def _answer(value: dict[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), content_type="application/x-amz-json-1.1")


def _error(status: int, name: str, message: str) -> web.Response:
    body = json.dumps({"__type": name, "message": message}).encode()
    return web.Response(body=body, status=status, content_type="application/x-amz-json-1.1")
