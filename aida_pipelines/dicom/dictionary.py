"""The standard's dictionaries (PS3.6, and the registry of UIDs in its annex A), as pydicom carries them.

They are read as the plain tables they are, without the package around them: importing pydicom takes 0.15 to
0.25 s (NumPy, Pillow, an HTTP client), as long as the headers of a thousand instances. What rewrites headers needs
the tables only; what reads objects, the verifier say, imports pydicom itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType


def _tables(name: str) -> ModuleType:
    package = find_spec("pydicom")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'pydicom'", name="pydicom")
    path = Path(package.submodule_search_locations[0]) / f"{name}.py"
    loader = SourceFileLoader(f"{__name__}.{name}", str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


DicomDictionary: dict[int, tuple[str, str, str, str, str]] = _tables("_dicom_dict").DicomDictionary
"""Tag → VR (``US or SS`` where it has several), VM, name, ``Retired`` or nothing, keyword; without repeating groups."""

UID_dictionary: dict[str, tuple[str, str, str, str, str]] = _tables("_uid_dict").UID_dictionary
"""UID → name, kind (``SOP Class``, ``Transfer Syntax``), info, ``Retired`` or nothing, keyword."""


def tag_for_keyword(keyword: str) -> int | None:
    """The tag of an attribute by its keyword; None for what is none."""
    return _tags().get(keyword)


def private_vr(creator: str, group: int, element: int) -> str:
    """The VR of a private attribute where GDCM's dictionary knows it; empty if it doesn't.

    Args:
        creator: The Private Creator.
        group: Its group.
        element: Its element without the block, 00 to FF.
    """
    entry = _private().get(creator, {}).get(f"{group:04X}xx{element:02X}")
    vr = entry[0] if entry else ""
    return "" if vr == "UN" else vr[:2]


def private_creators() -> Iterable[str]:
    """Private Creators that GDCM's dictionary knows."""
    return _private()


@cache
def concept_meanings() -> dict[tuple[str, str], frozenset[str]]:
    """Coding scheme and code → the meanings, case folded, in the context groups of PS3.16."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    concepts: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = _tables("sr/_concepts_dict").concepts
    for scheme, keywords in concepts.items():
        for of_keyword in keywords.values():
            for code, (meaning, _) in of_keyword.items():
                key = scheme, code
                found[key] = found.get(key, frozenset()) | {meaning.casefold()}
    return found


@cache
def _tags() -> dict[str, int]:
    return {entry[4]: tag for tag, entry in DicomDictionary.items()}


@cache
def _private() -> dict[str, dict[str, tuple[str, str, str, str]]]:
    private: dict[str, dict[str, tuple[str, str, str, str]]] = _tables("_private_dict").private_dictionaries
    return private
