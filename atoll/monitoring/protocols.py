"""The three protocols that SDKs speak to CloudWatch: CBOR (Smithy RPC v2), AWS JSON 1.0, and the older query with XML.

What: a :class:`Protocol` knows its requests by how they come (:func:`of`), reads operation and parameters, and writes
answers and errors. botocore chooses JSON where a service lists it, other SDKs CBOR; older ones have query alone.

Invariants: an error is told in the protocol of its request, with CloudWatch's older code beside the shape's name, which
SDKs prefer (``x-amzn-query-error``). What cannot be read is a refusal, never a 500.

Hazard: cbor2 is loaded at the first request that needs it.

Source: the Smithy RPC v2 CBOR protocol; botocore's serializers and parsers of the three.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from atoll.monitoring.errors import CloudWatchError
from atoll.monitoring.shapes import model, shape
from region.wire.answers import Page

CBOR_TYPE: Final = "application/cbor"
JSON_TYPE: Final = "application/x-amz-json-1.0"
_PATH: Final = re.compile(r"/service/[^/]+/operation/([A-Za-z]+)/?")
_NAMESPACE: Final = "com.amazonaws.cloudwatch#"
PARTS_MAX: Final = 20_000
_UNREADABLE: Final = "The request body cannot be read as {}."


class Request(NamedTuple):
    """An HTTP request, as far as protocols look at it. Header names are lower-case."""

    path: str
    headers: Mapping[bytes, bytes]
    body: bytes


class Protocol(NamedTuple):
    """One protocol: ``read`` returns operation and parameters, the others make answers."""

    read: Callable[[Request], tuple[str, dict[str, Any]]]
    write: Callable[[str, dict[str, Any], str], Page]
    refuse: Callable[[CloudWatchError, str], Page]


def of(request: Request) -> Protocol:
    """Return the protocol of a request."""
    if b"smithy-protocol" in request.headers or request.path.startswith("/service/"):
        return CBOR
    return JSON if b"x-amz-target" in request.headers else QUERY


# Smithy RPC v2 CBOR.


def _read_cbor(request: Request) -> tuple[str, dict[str, Any]]:
    import cbor2  # noqa: PLC0415  Few regions are ever asked, and a start cannot spare the time.

    found = _PATH.fullmatch(request.path)
    try:
        parameters = cbor2.loads(request.body) if request.body else {}
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError):
        raise CloudWatchError(_UNREADABLE.format("CBOR")) from None
    return found[1] if found else "", _object(parameters)


def _write_cbor(_operation: str, answer: dict[str, Any], _request_id: str) -> Page:
    return _cbor(200, answer, "")


def _refuse_cbor(error: CloudWatchError, _request_id: str) -> Page:
    return _cbor(error.status, {"__type": _NAMESPACE + error.shape, "message": str(error)}, _query_error(error))


def _cbor(status: int, content: dict[str, Any], headers: str) -> Page:
    import cbor2  # noqa: PLC0415  Few regions are ever asked, and a start cannot spare the time.

    body = cbor2.dumps(content, datetime_as_timestamp=True)
    return Page(status, CBOR_TYPE, body, f"smithy-protocol: rpc-v2-cbor\r\n{headers}")


# AWS JSON 1.0.


def _read_json(request: Request) -> tuple[str, dict[str, Any]]:
    target = request.headers.get(b"x-amz-target", b"").decode("latin-1")
    try:
        parameters = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise CloudWatchError(_UNREADABLE.format("JSON")) from None
    return target.rpartition(".")[2], _object(parameters)


def _write_json(_operation: str, answer: dict[str, Any], _request_id: str) -> Page:
    return Page(200, JSON_TYPE, json.dumps(answer, default=datetime.timestamp).encode())


def _refuse_json(error: CloudWatchError, _request_id: str) -> Page:
    body = json.dumps({"__type": _NAMESPACE + error.shape, "message": str(error)}).encode()
    return Page(error.status, JSON_TYPE, body, _query_error(error))


# Query and XML.


def _read_query(request: Request) -> tuple[str, dict[str, Any]]:
    try:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=PARTS_MAX)
    except ValueError:
        raise CloudWatchError(_UNREADABLE.format("a form")) from None
    tree: dict[str, Any] = {}
    for name, text in pairs:
        *branches, leaf = name.split(".")
        place = tree
        for branch in branches:
            place = place.setdefault(branch, {})
            if not isinstance(place, dict):
                raise CloudWatchError(f"The parameter {name} contradicts another.")
        place[leaf] = text
    operation = tree.pop("Action", "")
    tree.pop("Version", None)
    return str(operation), {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    """Turn ``{"member": {"1": a, "2": b}}`` into a list, at every depth."""
    if not isinstance(value, dict):
        return value
    members = value.get("member")
    if isinstance(members, dict) and len(value) == 1 and all(number.isdecimal() for number in members):
        return [_listed(members[number]) for number in sorted(members, key=int)]
    return {name: _listed(each) for name, each in value.items()}


def _write_query(operation: str, answer: dict[str, Any], request_id: str) -> Page:
    root = ElementTree.Element(f"{operation}Response", xmlns=model()["metadata"]["xmlNamespace"])
    _append(root, f"{operation}Result", model()["operations"][operation]["output"]["shape"], answer)
    metadata = ElementTree.SubElement(root, "ResponseMetadata")
    ElementTree.SubElement(metadata, "RequestId").text = request_id
    return Page(200, "text/xml", ElementTree.tostring(root))


def _append(parent: ElementTree.Element, tag: str, name: str, value: Any) -> None:
    definition = shape(name)
    element = ElementTree.SubElement(parent, tag)
    if definition["type"] == "structure":
        for member, inner in definition["members"].items():
            if member in value:
                _append(element, member, inner["shape"], value[member])
    elif definition["type"] == "list":
        for each in value:
            _append(element, "member", definition["member"]["shape"], each)
    elif definition["type"] == "map":
        for key, each in value.items():
            entry = ElementTree.SubElement(element, "entry")
            ElementTree.SubElement(entry, "key").text = key
            _append(entry, "value", definition["value"]["shape"], each)
    elif isinstance(value, datetime):
        element.text = value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)


def _refuse_query(error: CloudWatchError, request_id: str) -> Page:
    root = ElementTree.Element("ErrorResponse", xmlns=model()["metadata"]["xmlNamespace"])
    told = ElementTree.SubElement(root, "Error")
    for tag, text in (("Type", _at_fault(error)), ("Code", error.code), ("Message", str(error))):
        ElementTree.SubElement(told, tag).text = text
    ElementTree.SubElement(root, "RequestId").text = request_id
    return Page(error.status, "text/xml", ElementTree.tostring(root))


def _object(parameters: Any) -> dict[str, Any]:
    if not isinstance(parameters, dict):
        raise CloudWatchError("The request body must be an object.")
    return parameters


def _query_error(error: CloudWatchError) -> str:
    return f"x-amzn-query-error: {error.code};{_at_fault(error)}\r\n"


def _at_fault(error: CloudWatchError) -> str:
    return "Sender" if error.status < 500 else "Receiver"


CBOR: Final = Protocol(_read_cbor, _write_cbor, _refuse_cbor)
JSON: Final = Protocol(_read_json, _write_json, _refuse_json)
QUERY: Final = Protocol(_read_query, _write_query, _refuse_query)
