"""Work spread over a Dask cluster: the same contract as `workers.run_tasks`, on machines that see the same files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from intrepid_rt.distribution.workers import Failure, Outcome, Result, Task, attempt
from intrepid_rt.errors import InvalidSetting, MissingObject

_PER_THREAD = 2
_CONNECT_S = 20


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Connect to the scheduler at ``address``, such as ``tcp://host:8786``.

    The connection carries pickled objects, as Dask's always does: a cluster is to be trusted like this machine.

    Raises
    ------
    MissingObject
        Dask is not installed, or the cluster has no worker.
    InvalidSetting
        No scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingObject(
            "A Dask cluster needs the package distributed. Run: pip install 'slicer-intrepid[scale]'"
        ) from error
    try:
        client = Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidSetting(
            f"No Dask scheduler answers at {address}; expected for example tcp://host:8786. Start one: dask scheduler"
        ) from error
    try:
        if not client.nthreads():
            raise MissingObject(f"The Dask cluster at {address} has no worker. Start one with: dask worker {address}")
        yield client
    finally:
        client.close()


def run_on_cluster(
    client: Any, function: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Outcome[Task, Result]]:
    """Apply a function to tasks on a cluster and yield outcomes as they come.

    A task whose worker dies is tried on others, as Dask does; what kills them again and again becomes a `Failure`. At
    most two tasks per thread of the cluster are under way, so that memory does not grow with their number.
    """
    from distributed import as_completed

    remaining = iter(tasks)
    under_way: dict[Any, Task] = {}
    completed = as_completed([], loop=client.loop)

    def submit(number: int) -> None:
        """Send that many more tasks, if there are as many."""
        for task in islice(remaining, number):
            # Not pure: the same patient may be asked for twice, and files change.
            future = client.submit(attempt, function, task, pure=False)
            under_way[future] = task
            completed.add(future)

    submit(_PER_THREAD * max(1, sum(client.nthreads().values())))
    while under_way:
        future = next(completed)
        task = under_way.pop(future)
        error = future.exception()
        result = Failure(f"It failed on the cluster: {type(error).__name__}.") if error else future.result()
        submit(1)
        yield Outcome(task, result)
        future.release()
