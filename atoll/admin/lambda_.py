"""The room of Lambda: ``/lambda``, where boto3's ``lambda`` client makes event source mappings and invokes functions.

What: the operations of event source mappings over the region's triggers, and ``Invoke`` of a function of the
configuration. The client's ``endpoint_url`` is this path or the gateway, which knows such a request by the service it
is signed for.

Invariants: whatever else Lambda can do answers ``UnknownOperationException`` and does nothing. A web page reaches
nothing: a request with an ``Origin`` is refused, whatever it asks for.

Source: botocore's ``lambda`` model; AWS API reference of Lambda.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from atoll.admin.parts import Parts
from atoll.failure import UsageError
from atoll.triggers.batch import PAYLOAD_BYTES_MAX, NotInvoked
from atoll.triggers.function import Answer, Call, function_arn
from atoll.triggers.mapping import MappingError, Request, describe, function_of, settings_of
from atoll.triggers.registry import UnknownFunctionError, UnknownTriggerError
from atoll.triggers.trigger import Trigger
from chaos.fis.rest import FROM_A_PAGE, ORIGIN, RestModel
from region.operation.context import arn
from region.randomness import uuid

PATH: Final = "/lambda"
PAGE_MAX: Final = 100
TIMEOUT_S: Final = 60.0
_STREAM: Final = re.compile(r"arn:[^:]+:dynamodb:([^:]*):([^:]*):table/([^/]+)/stream/(.+)")


class LambdaError(Exception):
    """An error in Lambda's form: its name, its status, its words."""

    def __init__(self, name: str, status: int, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.status = status


def invalid(message: str) -> LambdaError:
    """Return the error for a parameter that cannot be meant so."""
    return LambdaError("InvalidParameterValueException", 400, message)


_MODEL: Final = RestModel("lambda", invalid)


def functions(parts: Parts) -> web.Application:
    """Return the application of the room."""
    made = web.Application(client_max_size=2 * PAYLOAD_BYTES_MAX)
    made.router.add_route("*", "/{path:.*}", _Lambda(parts).handle)
    return made


class _Lambda:
    """The operations, by their names in the model."""

    def __init__(self, parts: Parts) -> None:
        self._triggers = parts.triggers
        self._engine = parts.engine
        self._operations: Mapping[str, Callable[[Request], Awaitable[dict[str, Any]]]] = {
            "CreateEventSourceMapping": self._create,
            "GetEventSourceMapping": self._get,
            "ListEventSourceMappings": self._list,
            "UpdateEventSourceMapping": self._update,
            "DeleteEventSourceMapping": self._delete,
        }
        self._calls: set[asyncio.Task[Any]] = set()

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        name, found = _MODEL.route(request.method, "/" + request.match_info["path"])
        try:
            if ORIGIN in request.headers:
                # A page in somebody's browser must not have functions called on their machine.
                raise LambdaError("AccessDeniedException", 403, FROM_A_PAGE)
            if name == "Invoke":
                return await self._invoke(request, function_of(found["FunctionName"]))
            operation = self._operations.get(name)
            if operation is None:
                message = f"{request.method} {request.path} is no operation that is built."
                raise LambdaError("UnknownOperationException", 404, message)
            answered = await operation(await _MODEL.asked(request, name, found))
            return _answer(_MODEL.status(name), answered)
        except LambdaError as error:
            return _refusal(error)
        except MappingError as error:
            return _refusal(invalid(str(error)))
        except UnknownTriggerError:
            return _refusal(LambdaError("ResourceNotFoundException", 404, "The resource you requested does not exist."))
        except UnknownFunctionError as error:
            message = f"Function not found: {function_arn(self._engine.settings, error.function)}"
            return _refusal(LambdaError("ResourceNotFoundException", 404, message))
        except UsageError as error:
            return _refusal(invalid(str(error)))

    async def _create(self, request: Request) -> dict[str, Any]:
        if request.get("StartingPosition") is None:
            raise invalid("StartingPosition is required for an event source of DynamoDB.")
        table, label = self._stream(request.get("EventSourceArn", ""))
        id_ = uuid(self._engine.rng)
        settings = settings_of(request, None, name=id_, table=table, stream_label=label)
        for trigger in self._triggers.all():
            known = trigger.record.settings
            if (known.table, known.stream_label, known.function) == (table, label, settings.function):
                message = (
                    f'The event source arn (" {request["EventSourceArn"]} ") and function (" {settings.function} ") '
                    "provided mapping already exists. Please update or delete the existing mapping with UUID "
                    f"{trigger.record.uuid}"
                )
                raise LambdaError("ResourceConflictException", 409, message)
        return {**self._describe(await self._triggers.add(settings, id_)), "State": "Creating"}

    async def _get(self, request: Request) -> dict[str, Any]:
        return self._describe(self._triggers.find(request["UUID"]))

    async def _list(self, request: Request) -> dict[str, Any]:
        source, function = request.get("EventSourceArn"), request.get("FunctionName")
        wanted = None if function is None else function_of(function)
        found = [
            described
            for trigger in self._triggers.all()
            if (described := self._describe(trigger))
            and source in (None, described["EventSourceArn"])
            and wanted in (None, trigger.record.settings.function)
        ]
        marker = request.get("Marker") or "0"
        if not marker.isdecimal():
            raise invalid("Invalid marker.")
        first = int(marker)
        last = first + min(request.get("MaxItems") or PAGE_MAX, PAGE_MAX)
        more = {"NextMarker": str(last)} if last < len(found) else {}
        return {"EventSourceMappings": found[first:last], **more}

    async def _update(self, request: Request) -> dict[str, Any]:
        known = self._triggers.find(request["UUID"])
        settings = settings_of(request, known.record.settings)
        return {**self._describe(await self._triggers.change(known.record.uuid, settings)), "State": "Updating"}

    async def _delete(self, request: Request) -> dict[str, Any]:
        trigger = self._triggers.find(request["UUID"])
        described = {**self._describe(trigger), "State": "Deleting"}
        await self._triggers.remove(trigger.record.uuid)
        return described

    async def _invoke(self, request: web.Request, name: str) -> web.Response:
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        event = await request.read() or b"{}"
        try:
            json.loads(event)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise LambdaError("InvalidRequestContentException", 400, message) from error
        function = self._triggers.function(name)
        if kind == "DryRun":
            return web.Response(status=204)
        call = Call(
            function=name,
            arn=function_arn(self._engine.settings, name),
            event=event,
            request_id=uuid(self._engine.rng),
            timeout_s=TIMEOUT_S,
            trace=request.headers.get("X-Amzn-Trace-Id"),
        )
        if kind == "Event":
            task = asyncio.get_running_loop().create_task(function.invoke(call))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
            return web.Response(status=202)
        invoked = await function.invoke(call)
        headers = {"X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": call.request_id}
        if isinstance(invoked, Answer):
            return web.Response(status=200, body=invoked.payload, headers=headers)
        if isinstance(invoked, NotInvoked):
            raise LambdaError("ServiceException", 500, invoked.reason)
        kind_, _, words = invoked.error.partition(": ")
        payload = json.dumps({"errorMessage": words or kind_, "errorType": kind_ if words else "Unhandled"})
        headers["X-Amz-Function-Error"] = "Unhandled"
        return web.Response(status=200, text=payload, headers=headers)

    def _stream(self, name: str) -> tuple[str, str]:
        """Return table and label of a stream's ARN, which must be there to be read."""
        match = _STREAM.fullmatch(name)
        if match is None:
            raise invalid("Unrecognized event source.")
        region, account, table, label = match.groups()
        settings = self._engine.settings
        here = (region, account) == (settings.region, settings.account)
        streams = (
            each.label
            for held in self._engine.catalogue.by_uid.values()
            if held.name == table
            for each in held.local.streams
        )
        if not here or label not in streams:
            raise invalid(f"Stream not found: {name}")
        return table, label

    def _describe(self, trigger: Trigger) -> dict[str, Any]:
        settings = trigger.record.settings
        table = self._engine.catalogue.by_name.get(settings.table)
        label = settings.stream_label or (table.local.stream_label if table is not None else None)
        stream_arn = arn(self._engine.settings, settings.table) + (f"/stream/{label}" if label else "")
        return describe(
            trigger.report(),
            account=self._engine.settings.account,
            stream_arn=stream_arn,
            function_arn=trigger.function_arn,
        )


def _answer(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


def _refusal(error: LambdaError) -> web.Response:
    response = _answer(error.status, {"Type": "User", "message": str(error)})
    response.headers["x-amzn-ErrorType"] = error.name
    return response
