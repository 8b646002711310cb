"""Work per instance spread over processes, in order and in bounded memory.

``Executor.map`` submits everything at once; here only a window of batches is under way, so that neither the
inputs nor the results of a delivery are ever in memory together, and results come back in the order of the
inputs, so that tables come out the same whatever the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_BATCH = 32
"""Items a task: large enough that pickling costs little, small enough that processes end together."""

_SMALL = 2
"""Tasks up to which a pool's start (about 1 s) costs more than it saves."""


def cpu_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int | None = None,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    batch: int = _BATCH,
    preload: Sequence[str] = (),
) -> Iterator[R]:
    """Apply ``work`` to each item in a pool of processes; yield the results in the order of the items.

    Few items, or one worker, are worked on in this process.

    Args:
        work: A module-level function (it is pickled by name).
        items: Read lazily, a bounded window ahead.
        workers: Processes; by default one for each processor.
        initializer: Called once in every process before its first item (in this one, if it does the work).
        initargs: Its arguments.
        batch: Items a task; 1 where an item is much work (a series, not an instance).
        preload: Modules that are imported once for all processes, which are forked from there: none that
            starts threads when imported (PyArrow and Polars do).

    Raises:
        concurrent.futures.process.BrokenProcessPool: A process died (killed, out of memory). Nothing of its
            batch is lost by running again: the stages' writes are idempotent.
    """
    workers = workers or cpu_count()
    stream = iter(items)
    head = list(islice(stream, _SMALL * batch + 1))
    if workers == 1 or len(head) <= _SMALL * batch:
        if initializer:
            initializer(*initargs)
        yield from map(work, chain(head, stream))
        return
    everything = chain(head, stream)
    batches = iter(lambda: list(islice(everything, batch)), [])
    # forkserver: a fork of a process that runs Dagster's threads may deadlock; spawn pays every import again.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    pending: deque[Future[list[R]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=initializer, initargs=initargs) as pool:
        try:
            for some in batches:
                pending.append(pool.submit(_work_batch, work, some))
                if len(pending) >= 3 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _work_batch(work: Callable[[T], R], batch: list[T]) -> list[R]:
    return [work(item) for item in batch]


def threaded_map(work: Callable[[T], R], items: Iterable[T], *, threads: int) -> Iterator[R]:
    """Apply ``work`` to each item in threads; yield the results in the order of the items, in bounded memory.

    For copying and hashing: both wait for I/O or run outside the interpreter's lock, so processes gain nothing.

    Args:
        work: May be a closure; must be safe to call from several threads.
        items: Read lazily, a bounded window ahead.
        threads: How many items are under way at once, from 1.
    """
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= 4 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
