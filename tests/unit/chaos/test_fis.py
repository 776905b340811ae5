"""The FIS endpoint, spoken to by an unmodified boto3 client; the region behind it notes what it is told to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import boto3
import pytest
from aiohttp import web
from botocore.config import Config
from botocore.exceptions import ClientError

from chaos.fis import Experiments, application
from chaos.fis.actions import duration_s, order, select
from chaos.fis.errors import ValidationError
from clock import SystemClock
from region.randomness import SeededRng

ORDERS = "arn:aws:dynamodb:us-east-1:000000000000:table/orders"
CARTS = "arn:aws:dynamodb:us-east-1:000000000000:table/carts"
ROLE = "arn:aws:iam::000000000000:role/game-day"


class Stage:
    """A region that pauses nothing and remembers everything."""

    name, account = "us-east-1", "000000000000"

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def global_tables(self) -> dict[str, dict[str, str]]:
        return {ORDERS: {"team": "shop"}, CARTS: {"team": "shop", "tier": "1"}}

    def pause(self, arn: str, seconds: float) -> None:
        self.told.append(("pause", arn))

    def resume(self, arn: str) -> None:
        self.told.append(("resume", arn))


class Served:
    """The endpoint on a port, and a client for it that runs beside the event loop."""

    def __init__(self, stage: Stage, port: int) -> None:
        self.stage = stage
        self.client = boto3.client(
            "fis",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}/fis",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(parameter_validation=False),  # The endpoint's own is what is tested.
        )

    async def call(self, method: str, **request: Any) -> Any:
        return await asyncio.to_thread(getattr(self.client, method), **request)

    async def template(self, **changes: Any) -> dict[str, Any]:
        return (await self.call("create_experiment_template", **template(**changes)))["experimentTemplate"]

    async def until(self, id_: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while not reached(experiment := (await self.call("get_experiment", id=id_))["experiment"]):
                pass
        return experiment


def template(**changes: Any) -> dict[str, Any]:
    return {
        "description": "Pause replication of the shop's tables.",
        "roleArn": ROLE,
        "stopConditions": [{"source": "none"}],
        "targets": {
            "shop": {
                "resourceType": "aws:dynamodb:global-table",
                "resourceArns": [ORDERS, CARTS],
                "selectionMode": "ALL",
            }
        },
        "actions": {
            "wait": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1S"}},
            "pause": {
                "actionId": "aws:dynamodb:global-table-pause-replication",
                "parameters": {"duration": "PT1H"},
                "targets": {"Tables": "shop"},
            },
        },
        **changes,
    }


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    stage = Stage()
    experiments = Experiments(stage, SystemClock(), SeededRng(1))
    root = web.Application()
    root.add_subapp("/fis", application(experiments))
    runner = web.AppRunner(root)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield Served(stage, runner.addresses[0][1])
    await experiments.close()
    await runner.cleanup()


async def test_an_experiment_pauses_its_tables_until_it_is_stopped(served: Served) -> None:
    made = await served.template()
    started = (await served.call("start_experiment", experimentTemplateId=made["id"]))["experiment"]
    assert started["state"]["status"] in ("pending", "initiating", "running")
    running = await served.until(started["id"], lambda e: e["actions"]["pause"]["state"]["status"] == "running")
    assert running["state"]["status"] == "running"
    assert served.stage.told == [("pause", CARTS), ("pause", ORDERS)]
    await served.call("stop_experiment", id=started["id"])
    ended = await served.until(started["id"], lambda e: e["state"]["status"] == "stopped")
    assert ended["actions"]["pause"]["state"]["status"] == "stopped"
    assert ended["endTime"] >= ended["startTime"]
    assert served.stage.told[2:] == [("resume", CARTS), ("resume", ORDERS)]
    with pytest.raises(ClientError, match="cannot be stopped: it is stopped"):
        await served.call("stop_experiment", id=started["id"])


async def test_actions_run_one_after_the_other_where_they_say_so_and_the_experiment_completes(served: Served) -> None:
    actions = template()["actions"]
    actions["pause"] |= {"parameters": {"duration": "PT1S"}, "startAfter": ["wait"]}
    made = await served.template(actions=actions)
    started = (await served.call("start_experiment", experimentTemplateId=made["id"]))["experiment"]
    ended = await served.until(started["id"], lambda e: e["state"]["status"] == "completed")
    wait, pause = ended["actions"]["wait"], ended["actions"]["pause"]
    assert (wait["state"]["status"], pause["state"]["status"]) == ("completed", "completed")
    assert pause["startTime"] >= wait["endTime"]
    assert [verb for verb, _ in served.stage.told] == ["pause", "pause", "resume", "resume"]


async def test_targets_are_chosen_by_tags_and_an_empty_choice_fails_or_is_skipped(served: Served) -> None:
    target = {"resourceType": "aws:dynamodb:global-table", "selectionMode": "ALL"}
    actions = {"pause": template()["actions"]["pause"] | {"parameters": {"duration": "PT1S"}}}
    tagged = await served.template(targets={"shop": {**target, "resourceTags": {"tier": "1"}}}, actions=actions)
    started = (await served.call("start_experiment", experimentTemplateId=tagged["id"]))["experiment"]
    await served.until(started["id"], lambda e: e["state"]["status"] == "completed")
    assert served.stage.told == [("pause", CARTS), ("resume", CARTS)]
    nothing = {"shop": {**target, "resourceTags": {"tier": "9"}}}
    for mode, expected in (("fail", "failed"), ("skip", "completed")):
        options = {"emptyTargetResolutionMode": mode}
        made = await served.template(targets=nothing, actions=actions, experimentOptions=options)
        started = (await served.call("start_experiment", experimentTemplateId=made["id"]))["experiment"]
        ended = await served.until(started["id"], lambda e: "endTime" in e)
        assert ended["state"]["status"] == expected
        assert ended["actions"]["pause"]["state"]["status"] == ("cancelled" if mode == "fail" else "skipped")
    assert len(served.stage.told) == 2


async def test_templates_are_listed_changed_tagged_and_deleted(served: Served) -> None:
    made = await served.template(tags={"owner": "me"}, clientToken="once")
    again = await served.template(tags={"owner": "me"}, clientToken="once")
    assert again["id"] == made["id"]
    with pytest.raises(ClientError) as refused:
        await served.template(clientToken="once")
    assert refused.value.response["Error"]["Code"] == "ConflictException"
    (listed,) = (await served.call("list_experiment_templates"))["experimentTemplates"]
    assert (listed["id"], listed["tags"]) == (made["id"], {"owner": "me"})
    changed = await served.call("update_experiment_template", id=made["id"], description="Another.")
    assert changed["experimentTemplate"]["description"] == "Another."
    await served.call("tag_resource", resourceArn=made["arn"], tags={"day": "friday"})
    await served.call("untag_resource", resourceArn=made["arn"], tagKeys=["owner"])
    assert (await served.call("list_tags_for_resource", resourceArn=made["arn"]))["tags"] == {"day": "friday"}
    await served.call("delete_experiment_template", id=made["id"])
    with pytest.raises(ClientError) as gone:
        await served.call("get_experiment_template", id=made["id"])
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert gone.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


async def test_the_actions_and_target_types_can_be_asked_for(served: Served) -> None:
    actions = (await served.call("list_actions"))["actions"]
    assert [action["id"] for action in actions] == ["aws:dynamodb:global-table-pause-replication", "aws:fis:wait"]
    action = (await served.call("get_action", id=actions[0]["id"]))["action"]
    assert action["parameters"]["duration"]["required"]
    (kind,) = (await served.call("list_target_resource_types"))["targetResourceTypes"]
    assert kind["resourceType"] == "aws:dynamodb:global-table"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"actions": {"a": {"actionId": "aws:ec2:stop-instances"}}}, "Invalid action id"),
        ({"actions": {"a": {"actionId": "aws:fis:wait"}}}, "takes the parameter duration"),
        ({"actions": {"a": {"actionId": "aws:fis:wait", "parameters": {"duration": "5m"}}}}, "Invalid duration: 5m"),
        (
            {"actions": {"a": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1S"}, "startAfter": ["a"]}}},
            "in a circle",
        ),
        ({"targets": {}}, "names the target shop, which the template does not define"),
        ({"roleArn": "short"}, "roleArn"),
    ],
)
async def test_a_template_that_does_not_fit_itself_is_refused_and_not_kept(
    served: Served, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(ClientError, match=why) as refused:
        await served.template(**changes)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert not (await served.call("list_experiment_templates"))["experimentTemplates"]


async def test_an_operation_that_is_not_built_says_so(served: Served) -> None:
    with pytest.raises(ClientError) as refused:
        await served.call("get_safety_lever", id="default")
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


def test_durations_are_iso_8601() -> None:
    assert [duration_s(text) for text in ("PT1S", "PT5M", "PT1H30M", "P0DT12H")] == [1, 300, 5400, 43200]
    for wrong in ("", "P", "PT", "PT0S", "PT13H", "5", "PT1X", "P1DT"):
        with pytest.raises(ValidationError):
            duration_s(wrong)


def test_a_selection_takes_the_first_and_an_order_respects_every_predecessor() -> None:
    tables = list("abcd")
    assert select("COUNT(2)", tables) == ["a", "b"]
    assert select("PERCENT(75)", tables) == ["a", "b", "c"]
    assert select("ALL", tables) == tables
    assert order({"b": {"startAfter": ["a"]}, "a": {}, "c": {"startAfter": ["b", "a"]}}) == ["a", "b", "c"]
