"""Work in other processes: failures are values, a process that dies takes nothing along."""

import os
import signal
import time

import pytest

from intrepid_rt.distribution.workers import Failure, run_tasks


def square(n):
    if n == 3:
        raise ValueError("secret 3")
    if n == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


@pytest.mark.parametrize("processes", [1, 2])
def test_error_of_one_task_is_its_failure(processes):
    found = {o.task: o.result for o in run_tasks(square, iter([1, 2, 3, 4]), processes=processes)}
    assert found == {1: 1, 2: 4, 3: Failure("Unforeseen ValueError."), 4: 16}


def test_process_that_dies_fails_its_task_only():
    outcomes = list(run_tasks(square, iter(range(4, 12)), processes=2))
    found = {o.task: o.result for o in outcomes}
    assert len(outcomes) == len(found) == 8
    assert "died" in found.pop(5).reason
    assert found == {n: n * n for n in (4, 6, 7, 8, 9, 10, 11)}


def dies_later(n):
    if n == 1:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_no_task_is_lost_when_a_process_dies_while_a_result_is_being_stored():
    found = []
    for outcome in run_tasks(dies_later, iter(range(12)), processes=2):
        if not found:
            time.sleep(2.0)  # a slow database
        found.append(outcome.task)
    assert sorted(found) == list(range(12))


def test_tasks_are_taken_only_as_they_are_needed():
    taken = []

    def tasks():
        for n in range(6, 100):
            taken.append(n)
            yield n

    run = run_tasks(square, tasks(), processes=1)
    next(run)
    assert taken == [6]
    run.close()
