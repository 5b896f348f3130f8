"""Side by side: calls in threads, whose problems are reported together."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from cluster.errors import ClusterError

__all__ = ["Event", "in_background", "running", "side_by_side"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    in_turn: bool = False,
    cancelled: Event | None = None,
) -> list[Result]:
    """Call once for each item, all at once or in turn; return the results in their order.

    Every call runs to its end. Then the problems of all ClusterErrors are raised together, as an
    error of the first one's class; any other exception is raised as it is. Ctrl-C sets `cancelled`,
    which the calls may watch.
    """
    calls = tuple(items)
    with ThreadPoolExecutor(max_workers=1 if in_turn else max(1, len(calls))) as pool:
        futures = [pool.submit(call, item) for item in calls]
        try:
            errors = [error for future in futures if (error := _cluster_error(future))]
        except KeyboardInterrupt:
            if cancelled:
                cancelled.set()
            raise
    if errors:
        problems = dict.fromkeys(problem for error in errors for problem in error.problems)
        raise type(errors[0])(*problems)
    return [future.result() for future in futures]


@contextmanager
def running(
    call: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Callable[[], list[Result]]]:
    """Call once for each item, all at once, while the block runs; wait for all at its end.

    Yield a function that waits for the results, in the order of the items.
    """
    calls = tuple(items)
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        futures = [pool.submit(call, item) for item in calls]
        yield lambda: [future.result() for future in futures]


def in_background(call: Callable[[], Result]) -> Callable[[], Result]:
    """Start a call in a thread; return a function that waits for its result or raises its error."""
    pool = ThreadPoolExecutor(max_workers=1)
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future.result


def _cluster_error(future: Future[Result]) -> ClusterError | None:
    """Return the ClusterError that a call ended with; any other exception is raised."""
    error = future.exception()
    if error is not None and not isinstance(error, ClusterError):
        raise error
    return error
