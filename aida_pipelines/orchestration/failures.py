"""How a stage's exceptions become Dagster failures, without their words when those may identify someone.

Our own errors are written for people and hold nothing identifying. Any other exception may quote a value out of a
header or a file's name, and Dagster would keep that in its event log: only its type and where it arose are kept.
Retries are for what may pass (network, throttling), never for bad data.
https://docs.dagster.io/guides/build/ops/op-retries
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from aida_pipelines.errors import AidaError, TransientError


@contextmanager
def explained() -> Iterator[None]:
    """Run a stage's code; turn what it raises into a ``dagster.Failure`` that is safe to keep."""
    try:
        yield
    except AidaError as error:
        raise dg.Failure(str(error), allow_retries=isinstance(error, TransientError)) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, its words must not reach the event log
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "aida_pipelines" in frame.filename] or frames
        place = f"{ours[-1].filename.rpartition('aida_pipelines')[2]}:{ours[-1].lineno} in {ours[-1].name}"
        text = f"{type(error).__name__} at {place}. Its message is withheld: it may quote patient data."
        raise dg.Failure(text, allow_retries=False) from None
