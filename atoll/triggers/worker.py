"""A function's own process: it runs one Python callable, one event at a time, apart from the region.

What: a program that the region starts with its own interpreter, by this file's path, and that imports nothing of
Atoll, so that the function sees the packages of its author alone. A call comes in on standard input, as a line of JSON
with the head of the call, then the event; the answer goes out on what was standard output, in the same form. What the
function prints goes to standard error.

Invariants: a thread reads standard input all the time, so that the process ends at once, whatever the function is
doing, when the region is gone: no function goes on with a batch that its region will hand out again. As in Lambda, the
environment says whose function it is, and ``_X_AMZN_TRACE_ID`` what caused the event; AWS's SDKs hand that on with
each request.

Source: AWS Lambda developer guide, "Lambda context object in Python" and "Defined runtime environment variables".
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

TRACE = "_X_AMZN_TRACE_ID"


class Context:
    """What a handler gets beside the event, with the names of Lambda's context object."""

    function_version = "$LATEST"
    memory_limit_in_mb = "128"
    identity = None
    client_context = None

    def __init__(self, head: dict[str, Any]) -> None:
        self.function_name: str = head["function"]
        self.invoked_function_arn: str = head["arn"]
        self.aws_request_id: str = head["request_id"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = str(os.getpid())
        self._ends_s: float = time.monotonic() + head["timeout_s"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how much time is left before the call is ended."""
        return max(0, round((self._ends_s - time.monotonic()) * 1000))


def load(target: str) -> Callable[[Any, Any], Any]:
    """Return the callable that ``[FOLDER/]module:name`` or ``FILE.py:name`` stands for."""
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        path = os.path.abspath(place)
        sys.path.insert(0, os.path.dirname(path))
        spec = importlib.util.spec_from_file_location("function", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules["function"] = module
        spec.loader.exec_module(module)
    else:
        folder, _, dotted = place.rpartition("/")
        sys.path.insert(0, os.path.abspath(folder or "."))
        module = importlib.import_module(dotted)
    found: Callable[[Any, Any], Any] = getattr(module, name)
    return found


def error_of(error: BaseException) -> dict[str, Any]:
    """Return an exception as Lambda's answer has it."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_exception(error),
    }


def call(handler: Callable[[Any, Any], Any], head: dict[str, Any], event: bytes) -> tuple[bool, bytes]:
    """Call the function; return whether it succeeded, and its answer or its error as JSON."""
    if head["trace"]:
        os.environ[TRACE] = head["trace"]
    else:
        os.environ.pop(TRACE, None)
    try:
        return True, json.dumps(handler(json.loads(event), Context(head))).encode()
    except Exception as error:
        traceback.print_exc()
        return False, json.dumps(error_of(error)).encode()


def read_calls(source: BinaryIO, calls: queue.SimpleQueue[tuple[dict[str, Any], bytes]]) -> None:
    """Read calls until standard input ends, which ends the process."""
    while line := source.readline():
        head = json.loads(line)
        calls.put((head, source.read(head["bytes"])))
    os._exit(0)


def main() -> None:
    """Serve calls for ever."""
    source, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    calls: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
    threading.Thread(target=read_calls, args=(source, calls), daemon=True).start()
    handler: Callable[[Any, Any], Any] | None = None
    while True:
        head, event = calls.get()
        try:
            handler = handler or load(sys.argv[1])
        except BaseException as error:
            traceback.print_exc()
            succeeded, payload = False, json.dumps(error_of(error)).encode()
        else:
            succeeded, payload = call(handler, head, event)
        sys.stdout.flush()
        sys.stderr.flush()
        answers.write(json.dumps({"succeeded": succeeded, "bytes": len(payload)}).encode() + b"\n" + payload)
        answers.flush()


if __name__ == "__main__":
    main()
