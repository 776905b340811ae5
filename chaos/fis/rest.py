"""REST requests as one of botocore's service models describes them: routed, gathered and checked.

What: a :class:`RestModel` finds the operation of a method and a path, and puts a request's members together from where
they stand: path, query or body. Methods, paths, members and constraints come from botocore's model, which is loaded,
not copied, and only when the first request comes.

Invariant: a request that the model refuses reaches nothing. Patterns and upper bounds are not botocore's to check.

Source: botocore's service models; AWS's REST-JSON protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

from aiohttp import web

Request = dict[str, Any]
ORIGIN: Final = "Origin"
"""The header that browsers put on what a page sends, and clients of AWS never do."""
FROM_A_PAGE: Final = "Requests that web pages send are not answered here."


class RestModel:
    """The model of a service; ``invalid`` makes the error for a request that does not fit it."""

    def __init__(self, name: str, invalid: Callable[[str], Exception]) -> None:
        self._name = name
        self._invalid = invalid

    @cached_property
    def _model(self) -> Any:
        import botocore.session  # noqa: PLC0415  It costs a tenth of a second, which a start cannot spare.

        return botocore.session.get_session().get_service_model(self._name)

    @cached_property
    def _routes(self) -> list[tuple[str, re.Pattern[str], str]]:
        """Method, path and name of every operation; paths with more fixed parts come first."""
        routes = []
        for name in self._model.operation_names:
            http = self._model.operation_model(name).http
            path = http["requestUri"].partition("?")[0].rstrip("/")
            member = r"(?P<\1>.+)" if "/tags/" in path else r"(?P<\1>[^/]+)"
            routes.append((http["method"], re.compile(re.sub(r"\\{(\w+)\\}", member, re.escape(path)) + "/?"), name))
        return sorted(routes, key=lambda route: -route[1].pattern.count("/"))

    def route(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """Return the operation of a request and what its path names; an empty name where there is none."""
        for wanted, pattern, name in self._routes:
            if wanted == method and (match := pattern.fullmatch(path)):
                return name, match.groupdict()
        return "", {}

    def status(self, name: str) -> int:
        """Return the HTTP status of an operation's success."""
        return int(self._model.operation_model(name).http.get("responseCode", 200))

    async def asked(self, request: web.Request, name: str, path: Mapping[str, str]) -> Request:
        """Return the parameters of a request, checked against the model; raise ``invalid`` where they do not fit."""
        from botocore.validate import ParamValidator  # noqa: PLC0415  Loaded with the model, when it is needed.

        shape = self._model.operation_model(name).input_shape
        body = await request.read()
        try:
            asked: Any = json.loads(body) if body else {}
        except ValueError as error:
            raise self._invalid(f"The body is not valid JSON: {error}.") from error
        if not isinstance(asked, dict):
            raise self._invalid("The body is no JSON object.")
        for member, part in shape.members.items():
            where = part.serialization.get("name", member)
            if part.serialization.get("location") == "uri":
                asked[member] = path[where]
            elif part.serialization.get("location") == "querystring" and where in request.query:
                text = request.query.getall(where)
                asked[member] = (
                    text if part.type_name == "list" else _number(text[0]) if part.type_name == "integer" else text[0]
                )
        report = ParamValidator().validate(asked, shape)
        if report.has_errors():
            raise self._invalid(report.generate_report())
        return asked


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
