"""The FIS endpoint: REST requests as botocore's ``fis`` model describes them, checked, routed and answered.

What: an aiohttp application to be mounted where a region serves more than DynamoDB. What a request must look like comes
from botocore's model (:mod:`chaos.fis.rest`).

Invariant: a request that the model's constraints refuse reaches nothing; what is not built answers
``UnknownOperationException``. Credentials are not asked for, as on a region's admin address; so a web page, which any
browser on the machine may show, reaches nothing.

Source: botocore's ``fis`` model; AWS's REST-JSON protocol.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from chaos.fis.actions import ACTIONS, GLOBAL_TABLE
from chaos.fis.errors import FisError, ResourceNotFoundError, ValidationError
from chaos.fis.experiments import Experiments
from chaos.fis.rest import FROM_A_PAGE, ORIGIN, Request, RestModel

BODY_BYTES_MAX: Final = 1 << 20
PAGE: Final = 100
_SUMMARY: Final = ("id", "arn", "description", "creationTime", "lastUpdateTime", "tags")
_EXPERIMENT_SUMMARY: Final = ("id", "arn", "experimentTemplateId", "state", "creationTime", "tags", "experimentOptions")

Answer = dict[str, Any]


_MODEL: Final = RestModel("fis", ValidationError)


def application(experiments: Experiments) -> web.Application:
    """Return the application that serves one region's experiments."""
    made = web.Application(client_max_size=BODY_BYTES_MAX)
    made.router.add_route("*", "/{path:.*}", _Endpoint(experiments).handle)
    return made


class _Endpoint:
    """The operations, by their names in the model."""

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments
        self._operations: Mapping[str, Callable[[Request], Answer]] = {
            "CreateExperimentTemplate": lambda r: {"experimentTemplate": experiments.create_template(r)},
            "UpdateExperimentTemplate": lambda r: {"experimentTemplate": experiments.update_template(r)},
            "GetExperimentTemplate": lambda r: {"experimentTemplate": experiments.template(r["id"])},
            "DeleteExperimentTemplate": lambda r: {"experimentTemplate": experiments.delete_template(r["id"])},
            "ListExperimentTemplates": self._list_templates,
            "StartExperiment": lambda r: {"experiment": experiments.start(r)},
            "StopExperiment": lambda r: {"experiment": experiments.stop(r["id"])},
            "GetExperiment": lambda r: {"experiment": experiments.experiment(r["id"])},
            "ListExperiments": self._list_experiments,
            "GetAction": self._action,
            "ListActions": self._list_actions,
            "GetTargetResourceType": self._target_type,
            "ListTargetResourceTypes": lambda r: {"targetResourceTypes": [_TARGET_TYPE]},
            "ListTagsForResource": lambda r: {"tags": self._tagged(r["resourceArn"])["tags"]},
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        if ORIGIN in request.headers:
            return _refusal("AccessDeniedException", 403, FROM_A_PAGE)
        name, found = _MODEL.route(request.method, "/" + request.match_info["path"])
        operation = self._operations.get(name)
        if operation is None:
            message = f"{request.method} {request.path} is no operation that is built."
            return _refusal("UnknownOperationException", 404, message)
        try:
            return _answer(200, operation(await _MODEL.asked(request, name, found)))
        except FisError as error:
            return _refusal(error.name, error.status, str(error))

    def _list_templates(self, request: Request) -> Answer:
        page, token = _page([*self._experiments.templates.values()], request)
        summaries = [_only(template, _SUMMARY) for template in page]
        return {"experimentTemplates": summaries, **token}

    def _list_experiments(self, request: Request) -> Answer:
        wanted = request.get("experimentTemplateId")
        all_ = [e for e in self._experiments.experiments.values() if wanted in (None, e["experimentTemplateId"])]
        page, token = _page(all_, request)
        return {"experiments": [_only(experiment, _EXPERIMENT_SUMMARY) for experiment in page], **token}

    def _action(self, request: Request) -> Answer:
        if request["id"] not in ACTIONS:
            raise ResourceNotFoundError(f"Action {request['id']} could not be found.")
        return {"action": ACTIONS[request["id"]].describe(self._experiments.arn_prefix)}

    def _list_actions(self, request: Request) -> Answer:
        described = [action.describe(self._experiments.arn_prefix) for action in ACTIONS.values()]
        page, token = _page(described, request)
        return {"actions": [_only(action, ("id", "arn", "description", "targets", "tags")) for action in page], **token}

    def _target_type(self, request: Request) -> Answer:
        if request["resourceType"] != GLOBAL_TABLE:
            raise ResourceNotFoundError(f"Target resource type {request['resourceType']} could not be found.")
        return {"targetResourceType": {**_TARGET_TYPE, "parameters": {}}}

    def _tagged(self, arn: str) -> dict[str, Any]:
        for kept in (*self._experiments.templates.values(), *self._experiments.experiments.values()):
            if kept["arn"] == arn:
                return kept
        raise ResourceNotFoundError(f"Resource {arn} could not be found.")

    def _tag(self, request: Request) -> Answer:
        kept = self._tagged(request["resourceArn"])
        kept["tags"] = {**kept["tags"], **request["tags"]}
        return {}

    def _untag(self, request: Request) -> Answer:
        kept = self._tagged(request["resourceArn"])
        gone = request.get("tagKeys") or list(kept["tags"])
        kept["tags"] = {name: value for name, value in kept["tags"].items() if name not in gone}
        return {}


_TARGET_TYPE: Final = {"resourceType": GLOBAL_TABLE, "description": "A DynamoDB global table"}


def _page(items: list[dict[str, Any]], request: Request) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return one page of a list, and the token of the next one, if there is any."""
    token = request.get("nextToken", "0")
    if not token.isdecimal():
        raise ValidationError("The nextToken is not valid.")
    first = int(token)
    last = first + request.get("maxResults", PAGE)
    return items[first:last], {"nextToken": str(last)} if last < len(items) else {}


def _only(full: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: full[name] for name in names if name in full}


def _answer(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")


def _refusal(name: str, status: int, message: str) -> web.Response:
    response = _answer(status, {"message": message})
    response.headers["x-amzn-ErrorType"] = name
    return response
