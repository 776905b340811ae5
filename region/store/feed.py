"""The conflict feed's SQL: recording losers, reading them by position, table and key, and letting the oldest go.

What: conflicts are numbered densely from 1 as they are recorded, and a number is never given twice. So what is gone is
counted by the number of the first that is left.

Hazard: a few go with each that is recorded, so that no write pays for many; a bound that was lowered is reached after a
while. Readers pass over what is past its age, which goes only when others come.
"""

from __future__ import annotations

from typing import Final

_TRIMMED_AT_ONCE: Final = 8

INSERT: Final = f"INSERT INTO conflicts VALUES (NULL{', ?' * 20}) RETURNING number"
TRIM: Final = (
    "DELETE FROM conflicts WHERE number IN "
    f"(SELECT number FROM (SELECT number, recorded_ms FROM conflicts ORDER BY number LIMIT {_TRIMMED_AT_ONCE}) "
    "WHERE number <= ? OR recorded_ms < ?)"
)
HEAD: Final = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'conflicts'), 0)"
FIRST: Final = "SELECT min(number) FROM conflicts WHERE recorded_ms >= ?"
LAST_OF_TABLE: Final = "SELECT coalesce(max(number), 0) FROM conflicts WHERE table_uid = ?"


def read(*, by_table: bool, by_key: bool, newest: bool) -> str:
    """Return the statement that reads conflicts behind a number and since a time, of one table or of one key."""
    # The plus keeps SQLite from an index in whose order numbers do not come.
    table = f" AND {'' if by_key else '+'}table_uid = ?" if by_table else ""
    where = f"{table}{' AND key = ?' if by_key else ''}"
    order = " DESC" if newest else ""
    return f"SELECT * FROM conflicts WHERE number > ? AND recorded_ms >= ?{where} ORDER BY number{order} LIMIT ?"
