"""Work spread over processes: a bounded number under way, failures as values, no orphans after a kill."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """Why a task has no result; never the values it worked on."""

    reason: str


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """A task and what came of it."""

    task: Task
    result: Result | Failure


def run_tasks(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, processes: int
) -> Iterator[Outcome[Task, Result]]:
    """Apply a function to tasks in other processes and yield outcomes as they come; in this process if it is one.

    An error of a task, even one that kills its process, becomes a `Failure` and stops no other task. At most a few
    tasks per process are under way, so that memory does not grow with their number.
    """
    if processes == 1:
        yield from (Outcome(task, attempt(function, task)) for task in tasks)
        return
    remaining = iter(tasks)
    suspects: list[Task] = []
    while True:
        suspects = yield from _run_pool(function, remaining, processes)
        if not suspects:
            return
        # A process died and took the pool along: each task that was under way gets a process of its own.
        for task in suspects:
            if (yield from _run_pool(function, iter([task]), 1)):
                yield Outcome(task, Failure("The process that worked on it died (out of memory, or damaged data)."))


def _run_pool(
    function: Callable[[Task], Result], tasks: Iterator[Task], processes: int
) -> Generator[Outcome[Task, Result], None, list[Task]]:
    """Yield outcomes; return the tasks that were under way when a process died, none if all went well."""
    under_way: dict[Future, Task] = {}
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_die_with_parent)
    try:
        while True:
            for task in islice(tasks, 2 * processes - len(under_way)):
                try:
                    under_way[pool.submit(attempt, function, task)] = task
                except BrokenProcessPool:  # a process died while the caller worked on an outcome
                    return [*under_way.values(), task]
            if not under_way:
                return []
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                yield Outcome(under_way.pop(future), result)
    except BrokenProcessPool:
        return list(under_way.values())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def attempt(function: Callable[[Task], Result], task: Task) -> Result | Failure:
    """Return what a function makes of a task, or why it failed."""
    try:
        return function(task)
    except Exception as error:  # one damaged patient must not stop the others; its reason is reported
        return Failure(f"Unforeseen {type(error).__name__}.")


def _die_with_parent() -> None:
    """End this process when its parent ends, also when that was killed: nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
