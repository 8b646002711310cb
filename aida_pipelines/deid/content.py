"""Content items of structured reports, by the concept that names them (PS3.15 table E.3.4-1).

A content item is an item of any sequence with a Concept Name Code Sequence: of Content Sequence, and of
acquisition contexts, specimen preparations and protocols alike. What the table does not list goes by its
attributes: texts reduced to the allow-list, names dummies, dates as the profile says, references remapped.
"""

from __future__ import annotations

from aida_pipelines.contracts.profile import Action, Option
from aida_pipelines.deid._ps3_15_e3_4_1 import ITEMS, Item

VALUES: dict[str, int] = {
    "TEXT": 0x0040A160,
    "DATETIME": 0x0040A120,
    "DATE": 0x0040A121,
    "TIME": 0x0040A122,
    "PNAME": 0x0040A123,
    "UIDREF": 0x0040A124,
}
"""The attribute that holds the value, by value type; of all others the value is in a sequence."""

_REFERENCES = frozenset({"UIDREF", "COMPOSITE", "IMAGE", "WAVEFORM"})
_CAREFUL_FIRST = (Action.SHIFT_DATE, Action.CLEAN_TEXT, Action.KEEP)


class ContentRules:
    """The actions for content items under some options.

    Args:
        options: The profile's.
    """

    def __init__(self, options: frozenset[Option]) -> None:
        self._options = options
        self._actions = {(item.scheme, item.code, item.value_type): self._of(item) for item in ITEMS}
        self._any = {(item.scheme, item.code) for item in ITEMS}

    def action(self, scheme: str, code: str, value_type: str) -> Action | None:
        """What is done to an item: ``remove`` the item, or this to its value; None: by its attributes.

        Args:
            scheme: Coding Scheme Designator of its concept name.
            code: Code Value of its concept name.
            value_type: Value Type.
        """
        found = self._actions.get((scheme, code, value_type))
        if found is None and (scheme, code) in self._any:
            return Action.REMOVE  # a listed concept with a value of a type that the table doesn't foresee
        return found

    def _of(self, item: Item) -> Action:
        offered = {
            Action.KEEP
            if code == "K"
            else Action.SHIFT_DATE
            if option == Option.RETAIN_LONGITUDINAL_MODIFIED_DATES
            else Action.CLEAN_TEXT
            for option, code in item.options.items()
            if option in self._options
        }
        for action in _CAREFUL_FIRST:
            if action in offered:
                return action
        if (
            "D" not in item.basic
        ):  # X/D: which items a template asks for isn't looked up, a dummy is always right
            return Action.REMOVE
        # A reference's dummy is the pseudonym of what it refers to, so that it still resolves.
        return Action.REMAP_UID if item.value_type in _REFERENCES else Action.DUMMY
