"""Side by side: calls in threads, whose problems are reported together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from cluster.errors import ClusterError

__all__ = ["Event", "branches", "in_background", "running", "side_by_side"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(call: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call once for each item, all at once; return the results in the order of the items.

    Every call runs to its end. Then the problems of all ClusterErrors are raised together, as an
    error of the first one's class; any other exception is raised as it is.
    """
    calls = tuple(items)
    with ThreadPoolExecutor(max_workers=max(1, len(calls))) as pool:
        futures = [pool.submit(call, item) for item in calls]
    errors = [error for future in futures if (error := cluster_error(future))]
    if errors:
        raise joined(errors)
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


def branches(
    perform: Callable[[Item], object],
    plans: Sequence[Item],
    cancelled: Event,
    *,
    in_turn: bool = False,
) -> None:
    """Perform branches side by side or in turn; every one runs to its end, then errors are raised.

    Ctrl-C sets `cancelled`, which the branches must watch.
    """
    with ThreadPoolExecutor(max_workers=1 if in_turn else max(1, len(plans))) as pool:
        futures = [pool.submit(perform, plan) for plan in plans]
        try:
            errors = [error for future in futures if (error := cluster_error(future))]
        except KeyboardInterrupt:
            cancelled.set()
            raise
    if errors:
        raise joined(errors)


def cluster_error(future: Future[Result]) -> ClusterError | None:
    """Return the ClusterError that a call ended with; any other exception is raised."""
    error = future.exception()
    if error is not None and not isinstance(error, ClusterError):
        raise error
    return error


def joined(errors: Sequence[ClusterError]) -> ClusterError:
    """Return one error, of the first one's class, with the problems of all."""
    problems = dict.fromkeys(problem for error in errors for problem in error.problems)
    return type(errors[0])(*problems)
