"""Exceptions that carry the outcome: what the caller does next follows from the class alone.

A message names the thing by its id, hash or the path *the user typed*, the reason, and the way out. It never
holds a value out of a DICOM header nor the name of a delivered file: both may identify a person.
"""

from __future__ import annotations


class AidaError(Exception):
    """Base of every error that is meant for a person to read; the command line prints it without a traceback.

    Args:
        message: What happened and to what.
        way_out: What the reader can do now, one sentence.
    """

    exit_code = 1

    def __init__(self, message: str, *, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.way_out}" if self.way_out else self.message


class UsageError(AidaError):
    """The call itself is wrong (unknown site, empty folder, hostile archive): nothing was changed. Exit code 2."""

    exit_code = 2


class ContractError(UsageError):
    """A contract can't be read or contradicts itself; the message names file, line and field."""


class NotFoundError(UsageError):
    """Something asked for by name or id does not exist."""


class StorageError(AidaError):
    """A zone can't be read or written: no space, no access, no network. Nothing half-written is visible."""


class TransientError(StorageError):
    """The same call may succeed later (throttling, a connection that broke); worth an automatic retry."""


class IntegrityError(AidaError):
    """Bytes are not what their hash, manifest or receipt says."""


class GateError(AidaError):
    """A release was stopped: a blocking check failed, there is no sign-off, or an approval has run out."""


class InstanceOutcome(Exception):  # noqa: N818 - an outcome of one instance, not an error of the program
    """What became of one instance when it isn't passed on. Carries a reason code of ``aida_pipelines.reasons``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Quarantine(InstanceOutcome):
    """Held whole, with its reason, until a steward decides."""


class Reject(InstanceOutcome):
    """Not an instance that the pipeline takes, for good (a DICOMDIR, an operating system's file)."""
