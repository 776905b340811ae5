"""The command line: ``atoll``, a file per verb, each loaded only when it is used.

Exit codes: see :mod:`atoll.failure`. Everything that is read has ``--json``. What goes wrong outside of Atoll is told
in one or two sentences on standard error, never as a traceback.
"""

from __future__ import annotations

import importlib
import keyword
import sys
from typing import Final, cast

import click

from atoll import __version__
from atoll.failure import EXIT_INTERRUPTED, RemedyError

VERBS: Final = {
    "demo": "Three regions, a global table and gentle traffic, to look at and play with.",
    "start": "Start one region.",
    "chaos": "Run experiments: break a cluster on purpose and judge what is left.",
    "cut": "Cut a link.",
    "delay": "Let a link be slow.",
    "skew": "Set a region's clock wrong.",
    "kill": "Kill a region's process, or suspend it.",
    "fault": "Apply any fault.",
    "faults": "List the faults that stand.",
    "heal": "End every fault and pause.",
    "proxy": "Run a TCP proxy with the HTTP API of Toxiproxy.",
    "status": "Show the regions of a cluster.",
    "lag": "Show how far each link is behind.",
    "inspect": "Show one item in all regions side by side, now or at a moment, and its history.",
    "conflicts": "Show what was lost to concurrent writes, in all regions together.",
    "hot": "Show which keys of a table are used and throttled most.",
    "trigger": "Call functions with what changes in a table: list, add, pause, resume and remove triggers.",
    "wait": "Wait until replicas are equal, or until a region has caught up with a session.",
    "rpo": "Show which acknowledged writes would be lost if a region died now.",
    "diff": "Name the keys under which the replicas of a table differ.",
    "repair": "Compare the replicas of tables now, and mend what differs.",
    "dashboard": "Serve the live page of a cluster.",
    "pause": "Pause replication of a region, of a link, or of a table there.",
    "keys": "Make, rotate, disable and delete master keys.",
    "certificates": "Make an authority and certificates for regions and clients.",
    "gateway": "Serve all regions at one address, by the region a request was signed for.",
    "dax": "Serve a cache of a region to DAX's clients.",
    "sim": "Simulate fleets under faults, by seed, and judge every run by all invariants.",
    "resume": "End pauses; what waited is delivered.",
    "workload": "Use a running cluster as applications do, at a rate of your choosing.",
    "access": "Say whether a principal may do something, and which policy decides.",
    "doctor": "Look for what is wrong: on this machine, in a cluster, in files.",
    "completion": "Print the completion script of a shell.",
    "backup": "Make a backup of a table.",
    "backups": "List the backups of a region.",
    "restore": "Make a new table of a backup, or of the past of a table.",
    "export": "Write a table, or what changed in it, into a bucket.",
    "import": "Make a new table of what is in a bucket.",
    "force": "Let changes pass that are parked because their clock is too far ahead.",
}


class Verbs(click.Group):
    """The group of verbs; knows their names without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of use."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb."""
        if cmd_name not in VERBS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        return cast(click.Command, importlib.import_module(f"atoll.cli.{module}").command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs, still without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", message="atoll %(version)s")
def atoll() -> None:
    """DynamoDB Global Tables that you can hold in your hand: real regions, real replication, on your machine."""


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        code = atoll.main(prog_name="atoll", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):  # What click makes of Ctrl-C, and what it does not see.
        sys.exit(EXIT_INTERRUPTED)
    except RemedyError as error:
        click.echo(f"atoll: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
