"""``atoll access``: what the policies of an access file say, without a region."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from atoll import policy_check
from atoll.cli import options
from atoll.failure import EXIT_FAILED
from atoll.policy_check import Finding
from clock import SystemClock

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class ContextType(click.ParamType[tuple[str, str]]):
    """``key=value``: a condition key and one of its values."""

    name = "context"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the key and the value."""
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is no key=value, such as dynamodb:LeadingKeys=alice.", param, ctx)
        return key, text


@click.group("access")
def command() -> None:
    """Look at the policies of an access file."""


@command.command("check")
@click.argument("principal")
@click.argument("action")
@click.argument("resource", default="*")
@click.option("--file", required=True, type=FILE, metavar="FILE", help="The access file.")
@click.option("--resource-policy", type=FILE, metavar="FILE", help="The policy of the table or stream, as JSON.")
@click.option(
    "--context", type=ContextType(), multiple=True, metavar="KEY=VALUE", help="A condition key; again for more."
)
@click.option("--region", default="us-east-1", show_default=True, help="The region, where RESOURCE does not say.")
@click.option("--account", help="The region's account; else RESOURCE's, else the principal's.")
@options.json_option
def check(
    principal: str,
    action: str,
    resource: str,
    file: Path,
    resource_policy: Path | None,
    context: tuple[tuple[str, str], ...],
    region: str,
    account: str | None,
    as_json: bool,
) -> int:
    """Say whether PRINCIPAL may do ACTION on RESOURCE, and which statement decides. Exit code 1 if not.

    PRINCIPAL is an ARN, a user's name or an access key id; RESOURCE an ARN, table/NAME, or * for none.
    """
    finding = policy_check.check(
        file,
        principal,
        action,
        resource,
        now_ms=SystemClock().now_ms(),
        region=region,
        account=account,
        context=context,
        resource_policy=resource_policy,
    )
    if as_json:
        click.echo(msgspec.json.encode(finding).decode())
    else:
        click.echo(_told(finding))
    return 0 if finding.allowed else EXIT_FAILED


def _told(finding: Finding) -> str:
    if finding.allowed:
        by = finding.by if finding.statement is None else f"{finding.statement}, an Allow of the {finding.by}"
        return f"allowed by {by}"
    by = "" if finding.statement is None else f"\n{finding.statement} denies it"
    return f"denied\n{finding.message}{by}"
