"""Manufacturers' own formats within one private value: read strictly, and written anew with nothing but numbers.

Each reader takes the bytes of a value and the names of the fields that are wanted, and returns bytes of the same
format that hold these fields as far as they are there, and nothing of the source but their numbers: no other names,
no padding, no unused bytes. What is not of the format, or has text where a number is wanted, gives None.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from aida_pipelines.contracts.profile import Container
from aida_pipelines.deid.containers.ge import protocol, scan_header
from aida_pipelines.deid.containers.siemens import csa, csa_protocol, xprotocol

MAX_BYTES = 1 << 20
"""Real ones have at most some hundred kilobytes."""

_remembered = lru_cache(maxsize=4)  # a protocol is the same in all instances of its series

_READERS: dict[Container, Callable[[bytes, frozenset[str]], bytes | None]] = {
    Container.SIEMENS_CSA: csa,
    Container.SIEMENS_CSA_PROTOCOL: _remembered(csa_protocol),
    Container.SIEMENS_PROTOCOL: _remembered(xprotocol),
    Container.GE_PROTOCOL: _remembered(protocol),
    Container.GE_SCAN_HEADER: scan_header,
}


def rewritten(container: Container, value: bytes, fields: frozenset[str]) -> bytes | None:
    """The wanted fields of a container; None if it has none of them or isn't what it should be."""
    return _READERS[container](value, fields) if len(value) <= MAX_BYTES else None
