"""``atoll completion``: prints what makes a shell complete Atoll's verbs and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from atoll.failure import UsageError

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(atoll completion bash)"        in ~/.bashrc
    zsh:   eval "$(atoll completion zsh)"         in ~/.zshrc
    fish:  atoll completion fish > ~/.config/fish/completions/atoll.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"There is no completion for {shell}.", f"There is for {', '.join(SHELLS)}.")
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "atoll", "_ATOLL_COMPLETE").source())
