"""pydicom without warnings and log lines: both print values, and values may identify a person."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("pydicom")


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom's warnings and logger within the block. Not for use by several threads at once."""
    level = _LOGGER.level
    _LOGGER.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _LOGGER.setLevel(level)
