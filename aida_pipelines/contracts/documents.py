"""YAML documents that remember on which line everything stands, and problems that say so.

A contract is written by people who don't run Python, so a mistake is told as they would mark it on paper:
file, line, field, what is wrong and what would be right, and all mistakes of all files at once.

The parser is PyYAML's on libyaml (20 times faster than a round-trip loader; every process of a run loads the
contracts); the scalars are read by YAML 1.2's core schema, in which ``no`` is a word and not false.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from aida_pipelines.errors import ContractError

Place = tuple[str | int, ...]
"""Where something is inside a document: keys and positions from the top."""

M = TypeVar("M", bound=BaseModel)

_MAX_BYTES = 4 << 20
_MAX_DEPTH = 30
_MAX_PLACES = 200_000


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in one file.

    Attributes:
        file: Relative to the folder's parent, as a person would name it.
        line: From 1; 0 where the file as a whole is meant.
        field: Dotted path (``approvals[0].valid_until``); empty where no field is meant.
        message: What is wrong and what would be right.
    """

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


@dataclass
class Problems:
    """Collects what is wrong, so that a person mends everything in one go."""

    found: list[Problem] = field(default_factory=list)

    def add(self, document: Document, where: Place, message: str) -> None:
        """Note a problem at a place of a document."""
        self.found.append(Problem(document.name, document.line(where), _dotted(where), message))

    def add_file(self, name: str, message: str, *, line: int = 0) -> None:
        """Note a problem with a file that could not be read as a document."""
        self.found.append(Problem(name, line, "", message))

    def raise_any(self) -> None:
        """Raise what was noted, ordered by file and line.

        Raises:
            ContractError: There is at least one problem.
        """
        if self.found:
            raise ContractError(
                "\n".join(str(problem) for problem in sorted(set(self.found))),
                way_out="Mend the contract and try again; docs/contracts.md says how they are written.",
            )


@dataclass(frozen=True)
class Document:
    """A YAML file's content.

    Attributes:
        name: The file's name for people.
        data: Plain dictionaries, lists, strings, numbers, booleans, dates and None.
        lines: Line (from 1) of every key and item.
        fingerprint: SHA-256 of the file's bytes.
    """

    name: str
    data: dict[str, Any]
    lines: Mapping[Place, int]
    fingerprint: str

    def line(self, where: Place) -> int:
        """The line of ``where``, or of the nearest thing around it that stands in the file."""
        for length in range(len(where), 0, -1):
            if where[:length] in self.lines:
                return self.lines[where[:length]]
        return 1


def fingerprint_of_file(path: Path) -> str:
    """SHA-256, hexadecimal, of the file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class UnusableFileError(Exception):
    """The file as a whole can't be read as a contract.

    Args:
        message: What is wrong, as the end of a sentence that begins with the file's name.
        line: From 1; 0 where no line is meant.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def read_bytes(path: Path) -> bytes:
    """A contract file's bytes. Raises ``UnusableFileError``."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"can't be read ({error.strerror}).") from error
    if len(content) > _MAX_BYTES:
        raise UnusableFileError(f"has {len(content)} bytes; a contract has at most {_MAX_BYTES}.")
    return content


def decode(content: bytes) -> str:
    """A contract file's text, without a byte order mark. Raises ``UnusableFileError``."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableFileError("is not UTF-8; save it as UTF-8.", line) from error


def read_document(path: Path, name: str, problems: Problems) -> Document | None:
    """Read one YAML file; None, with the reason in ``problems``, if it isn't one mapping of plain values.

    Args:
        path: The file.
        name: How to name it to people.
        problems: Where to note what is wrong.
    """
    try:
        content = read_bytes(path)
        node = _compose(decode(content))
        lines: dict[Place, int] = {}
        noted = len(problems.found)
        data = _Reader(name, lines, problems).value(node, ())
    except UnusableFileError as error:
        problems.add_file(name, error.message, line=error.line)
        return None
    if len(problems.found) > noted:
        return None
    return Document(name, data, lines, hashlib.sha256(content).hexdigest())


def parse(model: type[M], document: Document, problems: Problems) -> M | None:
    """A document as a pydantic model; None, with every reason in ``problems``, if it doesn't fit.

    ``fingerprint`` is set from the file's bytes and can't be written in the file.
    """
    if "fingerprint" in document.data:
        problems.add(document, ("fingerprint",), "is computed from the file; take this line out.")
        return None
    try:
        return model.model_validate({**document.data, "fingerprint": document.fingerprint})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            where = _in_document(detail["loc"], document)
            problems.add(document, where, _says(model, detail))
        return None


def unknown_fields(model: type[BaseModel], document: Document, problems: Problems) -> None:
    """Note every field of a document, at any depth, that a permissive model would ignore in silence."""

    def walk(annotation: object, value: object, where: Place) -> None:
        inner = _models_in(annotation)
        if isinstance(value, list):
            for index, item in enumerate(value):
                walk(annotation, item, (*where, index))
        elif isinstance(value, dict) and inner:
            known = {(info.alias or name): info for one in inner for name, info in one.model_fields.items()}
            for key, item in value.items():
                if key in known:
                    walk(known[key].annotation, item, (*where, key))
                else:
                    problems.add(document, (*where, key), f"is no field here; {one_of(key, known)}")

    walk(model, document.data, ())


def one_of(word: object, known: Iterable[object]) -> str:
    """The end of a sentence on an unknown word: what there is, the nearest first.

    >>> one_of("researhc", ["basic", "research"])
    'did you mean research? There are basic, research.'
    """
    names = sorted(str(name) for name in known)
    if not names:
        return "there is none yet."
    near = difflib.get_close_matches(str(word), names, n=1)
    guess = f"did you mean {near[0]}? There" if near else "there"
    return f"{guess} {'are' if len(names) > 1 else 'is'} {', '.join(names)}."


# --- YAML ------------------------------------------------------------------------------------------


def _compose(text: str) -> yaml.MappingNode:
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UnusableFileError(f"is not YAML: {_syntax(error, text)}", line) from error
    except yaml.YAMLError as error:
        raise UnusableFileError("is not YAML: it holds a character that YAML does not allow.") from error
    if node is None:
        raise UnusableFileError("is empty; a contract begins with 'name:' and 'version:'.")
    if not isinstance(node, yaml.MappingNode):
        raise UnusableFileError("must be a mapping of fields (name: …, version: …) at its top.", 1)
    return node


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    lines = text.splitlines()
    at = error.problem_mark.line if error.problem_mark else 0
    if at < len(lines) and re.match(r" *\t", lines[at]):
        return "a tab indents the line; YAML indents by spaces."
    said = error.problem or "it can't be parsed"
    return f"{said}{f' ({error.context})' if error.context else ''}."


_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_INT = re.compile(r"[-+]?[0-9]{1,300}")  # Python refuses to read more than 4,300 digits
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _core_scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by YAML 1.2's core schema, but 007 stays a text: it is an id, not a number."""
    if text in _WORDS:
        return _WORDS[text]
    if not _LEADING_ZERO.match(text):
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
            return number
    return text


@dataclass
class _Reader:
    """Nodes → plain values, noting lines, duplicate keys and what a contract has no use for."""

    name: str
    lines: dict[Place, int]
    problems: Problems

    def value(self, node: yaml.Node, where: Place) -> Any:
        # Aliases let a small file unfold into a huge one; the number of places is what it costs.
        if len(where) > _MAX_DEPTH or len(self.lines) > _MAX_PLACES:
            raise UnusableFileError("is nested too deeply or too large.", node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                self.lines[(*where, index)] = item.start_mark.line + 1
                items.append(self.value(item, (*where, index)))
            return items
        return self._scalar(node, where)

    def _mapping(self, node: yaml.MappingNode, where: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.value == "<<":
                self._wrong(key_node, where, "a field's name must be a plain word.")
                continue
            key = str(key_node.value)
            at: Place = (*where, key)
            if key in result:
                self._wrong(key_node, at, f"stands here a second time (first on line {self.lines[at]}).")
                continue
            self.lines[at] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, at)
        return result

    def _scalar(self, node: yaml.Node, where: Place) -> Any:
        text: str = node.value
        if getattr(node, "style", None):  # quoted or a block: a text, whatever it looks like
            return text
        if _DATE.fullmatch(text):
            try:
                return date.fromisoformat(text)
            except ValueError:
                self._wrong(node, where, f"{text} is no day of the calendar (YYYY-MM-DD).")
        return _core_scalar(text)

    def _wrong(self, node: yaml.Node, where: Place, message: str) -> None:
        self.problems.found.append(Problem(self.name, node.start_mark.line + 1, _dotted(where), message))


# --- pydantic's words → ours ----------------------------------------------------------------------


def _dotted(where: Place) -> str:
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _in_document(loc: tuple[int | str, ...], document: Document) -> Place:
    """A pydantic location without the names of validators and union members that pydantic puts into it."""
    where: Place = ()
    for index, part in enumerate(loc):
        if (*where, part) in document.lines or index == len(loc) - 1:
            where = (*where, part)
    return where


def _says(model: type[BaseModel], detail: ErrorDetails) -> str:
    kind, loc = detail["type"], detail["loc"]
    if kind == "missing":
        about = _field_description(model, loc)
        return f"is missing{f': {about}' if about else '.'}"
    if kind == "extra_forbidden":
        inner = _models_at(model, loc[:-1])
        known = [name for one in inner for name in one.model_fields if name != "fingerprint"]
        return f"is no field here; {one_of(loc[-1], known)}" if known else "is no field here."
    if kind == "value_error":
        return f"{detail['ctx']['error']}."
    said = detail["msg"].replace("Input should be", "must be").replace("String should", "must")
    plain = isinstance(detail["input"], str | int | float)
    return f"{said}, not {detail['input']!r}." if plain else f"{said}."


def _field_description(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    for one in _models_at(model, loc[:-1]):
        info = one.model_fields.get(str(loc[-1]))
        if info is not None and info.description:
            return info.description
    return ""


def _models_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[type[BaseModel]]:
    here: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, str):
            fields = [one.model_fields[part].annotation for one in here if part in one.model_fields]
            here = [inner for annotation in fields for inner in _models_in(annotation)] or here
    return here


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The pydantic models inside ``X | None``, ``tuple[X, ...]``, ``list[X]``, ``Annotated[X, …]``."""
    if isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (dict, Mapping):
        return []
    return [inner for part in get_args(annotation) for inner in _models_in(part)]
