"""``python -P -m atoll``: the command, and how regions are started (``-P`` keeps the current folder off the path)."""

from __future__ import annotations

from atoll.cli import main

if __name__ == "__main__":
    main()
