"""What was done to each instance, told once for all instances to which the same was done.

Within a series the same things are done to nearly every header. So an instance bears the id of the set of things
that were done to it, and a table has each set once, with the number of its instances: what was done to one instance
can be looked up, what was done in a delivery added up, and neither grows with the number of instances.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from aida_pipelines.deid.instance import Done, action_row


@lru_cache(maxsize=4096)
def action_set(done: frozenset[Done]) -> str:
    """Id of a set: 16 hexadecimal digits, the same wherever the same was done."""
    return hashlib.sha256(json.dumps(sorted(done)).encode("ascii")).hexdigest()[:16]


class ActionSets:
    """The sets of a delivery. In memory there are their ids; what they hold waits in a file.

    Args:
        spool: The file; nothing may be there.
    """

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._instances: Counter[str] = Counter()
        spool.touch(exist_ok=False)

    def add(self, done: frozenset[Done]) -> str:
        """Count an instance to which this was done; the set's id."""
        found = action_set(done)
        if found not in self._instances:
            with self._spool.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"action_set": found, **action_row(entry)}) + "\n" for entry in sorted(done)
                )
        self._instances[found] += 1
        return found

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows of the table ``deid_actions``."""
        with self._spool.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                yield {**row, "instances": self._instances[row["action_set"]]}


def by_attribute(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The table's rows added up over its sets: one for each attribute, VR and action, in order."""
    instances: Counter[tuple[str, str, str, str]] = Counter()
    for row in rows:
        instances[row["tag"], row["vr"], row["action"], row["keyword"] or ""] += row["instances"]
    return [
        {"tag": tag, "keyword": keyword, "vr": vr, "action": action, "instances": number}
        for (tag, vr, action, keyword), number in sorted(instances.items())
    ]
