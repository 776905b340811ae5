"""A session: one client that does one thing at a time and writes down what it asked and what it was told.

What: :meth:`Session.perform` records the invocation, makes the call, and records how it ended. An outcome that nobody
knows ends the process, as a client that crashed would; the session goes on under a new number.

Invariants: an error counts as ``fail`` only where the client says that it is definite; everything else, being cancelled
in the midst included, is ``info``. A condition that failed is recorded as a read where the answer says what it found.

Source: K. Kingsbury, "Jepsen": processes are logically single-threaded, and a crashed one is replaced by a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from chaos.history import TAG, Access, Recorder, key_text
from chaos.workload.client import METADATA, REQUEST_ID, SESSION_TOKEN, CallError, Client

Answer = dict[str, Any]
Found = Callable[[Answer], tuple[Access, ...]]
CONDITION_FAILED: Final = "ConditionalCheckFailedException"
ALL_OLD_ON_FAILURE: Final = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


class Step(NamedTuple):
    """One operation to perform.

    ``found`` says of an answer what was accessed; without it, it is what ``accesses`` say. ``told`` says what to record
    as the result. ``table`` is the one that it is about, where neither accesses nor request name it.
    """

    f: str
    operation: str
    request: dict[str, Any]
    accesses: tuple[Access, ...]
    found: Found | None = None
    told: Callable[[Answer], Any] | None = None
    value: Any = None
    intended_ns: int = 0
    table: str = ""


class Session:
    """One process of a workload in one region.

    ``carries_token``: the session token of each answer is presented with the next request. :meth:`move` goes on in
    another region, which without a token is another session.
    """

    def __init__(self, client: Client, recorder: Recorder, workload: str, *, carries_token: bool = False) -> None:
        self.client = client
        self.recorder = recorder
        self.error: CallError | None = None
        """Why the last operation did not succeed."""
        self._workload = workload
        self._process = recorder.process()
        self._carries_token = carries_token
        self._token = ""

    @property
    def region(self) -> str:
        """The region that it calls."""
        return self.client.region

    def move(self, client: Client) -> None:
        """Go on in another region; the token goes along where tokens are carried, else a new process begins."""
        self.client = client
        if not self._carries_token:
            self._process = self.recorder.process()

    async def perform(self, step: Step) -> Answer | None:
        """Perform an operation; return its answer, ``None`` where it failed or nobody knows (:attr:`error`)."""
        presented = self._token if self._carries_token else ""
        # An empty token asks for one, also where the answer would not have any.
        request = {**step.request, METADATA: {SESSION_TOKEN: presented}} if self._carries_token else step.request
        first = step.accesses[0] if step.accesses else None
        call = self.recorder.invoke(
            self._process,
            self.region,
            step.f,
            workload=self._workload,
            table=first.table if first else step.table or str(step.request.get("TableName", "")),
            key=first.key if first and len({it.key for it in step.accesses}) == 1 else "",
            accesses=step.accesses,
            value=step.value,
            presented=presented,
            intended_ns=step.intended_ns,
        )
        self.error = None
        try:
            answer = await self.client.call(step.operation, request)
        except CallError as error:
            self.error = error
            if error.definite:
                call.fail(error.name, accesses=_refused(step, error))
            else:
                call.info(error.name)
                self._process = self.recorder.process()
            return None
        except asyncio.CancelledError:
            call.info("cancelled")
            raise
        metadata = answer.get(METADATA, {})
        self._token = metadata.get(SESSION_TOKEN) or self._token
        call.ok(
            accesses=step.accesses if step.found is None else step.found(answer),
            result=None if step.told is None else step.told(answer),
            token=metadata.get(SESSION_TOKEN) or "",
            request_id=metadata.get(REQUEST_ID) or "",
        )
        return answer


def _refused(step: Step, error: CallError) -> tuple[Access, ...]:
    """Return what a condition that failed has read, where the request asked for it."""
    if error.name != CONDITION_FAILED or not ALL_OLD_ON_FAILURE.items() <= step.request.items():
        return ()
    written = next(access for access in step.accesses if access.action != "r")
    return (Access("r", written.table, written.key, tag_in(error.item)),)


def tag_in(item: dict[str, Any] | None) -> str | None:
    """Return the tag of an item of an answer; ``None`` where there is none."""
    return None if item is None else item.get(TAG, {}).get("S")


def get(table: str, key: dict[str, Any], *, f: str = "read", **fields: Any) -> Step:
    """Return the step that reads an item, strongly consistent in its region."""
    text = key_text(key)
    return Step(
        f,
        "GetItem",
        {"TableName": table, "Key": key, "ConsistentRead": True},
        (Access("r", table, text),),
        found=lambda answer: (Access("r", table, text, tag_in(answer.get("Item"))),),
        **fields,
    )


def put(recorder: Recorder, table: str, key: dict[str, Any], *, f: str = "write", **attributes: Any) -> Step:
    """Return the step that writes an item whatever was there."""
    tag = recorder.tag()
    item = {**key, **attributes, TAG: {"S": tag}}
    return Step(f, "PutItem", {"TableName": table, "Item": item}, (Access("w", table, key_text(key), tag),))


def delete(recorder: Recorder, table: str, key: dict[str, Any], *, f: str = "delete") -> Step:
    """Return the step that deletes an item; it reads what was there."""
    text = key_text(key)
    access = Access("d", table, text, recorder.tag())
    return Step(
        f,
        "DeleteItem",
        {"TableName": table, "Key": key, "ReturnValues": "ALL_OLD"},
        (access,),
        found=lambda answer: (Access("r", table, text, tag_in(answer.get("Attributes"))), access),
    )


def update(
    recorder: Recorder,
    table: str,
    key: dict[str, Any],
    expression: str,
    values: dict[str, Any],
    *,
    f: str,
    **fields: Any,
) -> Step:
    """Return the step that updates an item by an expression with ``SET``, the tag added to it; it reads what was there.

    The expression's ``SET`` clause comes first.
    """
    text, tag = key_text(key), recorder.tag()
    written = Access("w", table, text, tag)
    return Step(
        f,
        "UpdateItem",
        {
            "TableName": table,
            "Key": key,
            "UpdateExpression": expression.replace("SET ", "SET #tag = :tag, ", 1),
            "ExpressionAttributeNames": {"#tag": TAG},
            "ExpressionAttributeValues": {**values, ":tag": {"S": tag}},
            "ReturnValues": "ALL_OLD",
        },
        (written,),
        found=lambda answer: (Access("r", table, text, tag_in(answer.get("Attributes"))), written),
        **fields,
    )


def when(step: Step, tag: str | None, recorded: bool = True) -> Step:
    """Return the step under the condition that the item's tag is ``tag``; ``None``: that there is no item.

    ``recorded``: the condition is part of the invocation, and its success of the completion.
    """
    written = step.accesses[0]
    names = {**step.request.get("ExpressionAttributeNames", {}), "#tag": TAG}
    request = {**step.request, **ALL_OLD_ON_FAILURE, "ExpressionAttributeNames": names}
    if tag is None:
        request["ConditionExpression"] = "attribute_not_exists(#tag)"
    else:
        request["ConditionExpression"] = "#tag = :expected"
        values = request.get("ExpressionAttributeValues", {})
        request["ExpressionAttributeValues"] = {**values, ":expected": {"S": tag}}
    read = Access("r", written.table, written.key, tag)
    return step._replace(request=request, accesses=(read, written) if recorded else step.accesses, found=None)
