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
from typing import Any, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_BATCH = 32
"""Items a task: large enough that pickling costs little, small enough that processes end together."""

_BATCH_WEIGHT = 32 << 20
"""Bytes a task, where items say what they weigh: a task that is heavier already gets no further item."""

_SMALL = 2
"""Tasks up to which a pool's start (about 1 s) costs more than it saves."""


def cpu_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Processes that work on streams of items: a context manager, for one stream or for one that feeds another.

    They are started when there is enough to do for more than one; else the work is done in this process.

    Args:
        workers: How many; by default one for each processor.
        initializer: Called once in every process before its first item (in this one, if it does the work).
        initargs: Its arguments.
        preload: Modules that are imported once for all processes, which are forked from there: none that starts
            threads when imported (PyArrow and Polars do).
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
        preload: Sequence[str] = (),
    ) -> None:
        self._workers = workers or cpu_count()
        self._initializer, self._initargs, self._preload = initializer, initargs, list(preload)
        self._pool: ProcessPoolExecutor | None = None
        self._initialized = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def ordered_map(
        self,
        work: Callable[[T], R],
        items: Iterable[T],
        *,
        batch: int = _BATCH,
        weigh: Callable[[T], int] | None = None,
    ) -> Iterator[R]:
        """Apply ``work`` to each item; yield the results in the order of the items.

        Args:
            work: A module-level function (it is pickled by name).
            items: Read lazily, a bounded window ahead; they may come out of another ``ordered_map`` of these
                workers.
            batch: Items a task; 1 where an item is much work (a series, not an instance).
            weigh: Bytes of an item, where these differ much: large ones are tasks of their own, so that what
                is under way is bounded in bytes as well.

        Raises:
            concurrent.futures.process.BrokenProcessPool: A process died (killed, out of memory). Nothing of its
                batch is lost by running again: the stages' writes are idempotent.
        """
        if self._workers == 1:
            self._initialize()
            yield from map(work, items)
            return
        batches = _batches(items, batch, weigh)
        head = list(islice(batches, _SMALL + 1))
        if self._pool is None and len(head) <= _SMALL:
            self._initialize()
            yield from map(work, chain.from_iterable(head))
            return
        pool = self._started()
        pending: deque[Future[list[R]]] = deque()
        for some in chain(head, batches):
            pending.append(pool.submit(_work_batch, work, some))
            if len(pending) >= 3 * self._workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()

    def _initialize(self) -> None:
        if self._initializer and not self._initialized:
            self._initializer(*self._initargs)
            self._initialized = True

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # forkserver: a fork of a process that runs Dagster's threads may deadlock; spawn pays every import
            # again.
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(self._preload)
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=context, initializer=self._initializer, initargs=self._initargs
            )
        return self._pool


def ordered_map(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int | None = None,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    batch: int = _BATCH,
    weigh: Callable[[T], int] | None = None,
    preload: Sequence[str] = (),
) -> Iterator[R]:
    """One stream through ``Workers`` of its own; see there."""
    with Workers(workers, initializer=initializer, initargs=initargs, preload=preload) as pool:
        yield from pool.ordered_map(work, items, batch=batch, weigh=weigh)


def _batches(items: Iterable[T], most: int, weigh: Callable[[T], int] | None) -> Iterator[list[T]]:
    some: list[T] = []
    weight = 0
    for item in items:
        some.append(item)
        weight += weigh(item) if weigh else 0
        if len(some) >= most or weight >= _BATCH_WEIGHT:
            yield some
            some, weight = [], 0
    if some:
        yield some


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
