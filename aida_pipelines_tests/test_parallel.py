"""Work in processes: in order, in bounded memory, one stream or one that feeds another."""

import os

import pytest

from aida_pipelines.parallel import Workers, ordered_map


def squared(number):
    return number * number


def whose(_):
    return os.getpid()


def watched(items, seen):
    for item in items:
        seen.append(item)
        yield item


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 64, 500])
def test_results_come_in_the_order_of_the_items(workers, count):
    assert list(ordered_map(squared, range(count), workers=workers)) == [n * n for n in range(count)]


def test_a_little_is_worked_on_in_this_process_and_much_in_others():
    assert set(ordered_map(whose, range(64), workers=2)) == {os.getpid()}
    assert os.getpid() not in set(ordered_map(whose, range(200), workers=2))


def test_a_few_heavy_items_are_worth_processes():
    assert os.getpid() not in set(ordered_map(whose, range(6), workers=2, weigh=lambda _: 1 << 30))


@pytest.mark.parametrize(("weight", "ahead"), [(0, 7 * 32), (1 << 30, 7)])
def test_only_so_much_is_under_way(weight, ahead):
    seen = []
    results = ordered_map(squared, watched(range(10_000), seen), workers=2, weigh=lambda _: weight)
    for taken, _ in enumerate(results, 1):
        assert len(seen) <= taken + ahead
        if taken == 1000:
            break


@pytest.mark.parametrize("workers", [1, 2])
def test_one_stream_may_feed_another_in_the_same_processes(workers):
    with Workers(workers) as pool:
        once = pool.ordered_map(squared, range(300))
        odd = (number for number in once if number % 2)
        assert list(pool.ordered_map(squared, odd)) == [n**4 for n in range(300) if n % 2]


_opened = []


def test_what_every_process_needs_is_made_once():
    _opened.clear()
    with Workers(1, initializer=_opened.append, initargs=("made",)) as pool:
        list(pool.ordered_map(squared, pool.ordered_map(squared, range(3))))
    assert _opened == ["made"]
