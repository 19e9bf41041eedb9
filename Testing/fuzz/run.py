"""Run numbered cases of damaged input in worker processes that are replaced when they die or hang; resumable.

    .venv/bin/python Testing/fuzz/run.py --cases 5000 --results fuzz.jsonl --workers 2

Cases that the results file holds already are not run again. Exit code 1 if any case has a problem.
"""

import argparse
import json
import os
import queue
import select
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
LIMIT_S = 20.0  # on an idle machine, and in processor time on a busy one
START_S = 120.0  # imports and compiled kernels
BUSY_FACTOR = 10.0


class Worker:
    """A worker process and its replacement."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.process, self._is_new = folder, None, True

    def run(self, number: int) -> dict[str, object]:
        """Run a case; a process that dies or takes too long is replaced, and the case has a problem."""
        if self.process is None:
            self._start()
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        limit_s, self._is_new = (START_S if self._is_new else LIMIT_S), False
        ready = self._answers_within(limit_s)
        line = self.process.stdout.readline() if ready else ""
        if line:
            answer = json.loads(line)
            if "memory" in answer["problem"].lower():  # the peak of a process never falls
                self.stop()
            return answer
        problem = "the process died" if ready else f"no answer within {limit_s:g} s"
        self.stop()
        return {"case": number, "problem": problem}

    def _answers_within(self, limit_s: float) -> bool:
        """Wait for an answer; where others use the processors, the limit is one of processor time as well."""
        started_s, used_s = time.monotonic(), _processor_seconds(self.process.pid)
        while not select.select([self.process.stdout], [], [], limit_s / 20)[0]:
            waited_s = time.monotonic() - started_s
            is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
            if _processor_seconds(self.process.pid) - used_s > limit_s:
                return False
            if waited_s > limit_s * (BUSY_FACTOR if is_busy else 1):
                return False
        return True

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        place = tempfile.mkdtemp(dir=self.folder)
        self.process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", place], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        self._is_new = True

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def _processor_seconds(pid: int) -> float:
    try:
        # Time in user and system mode are the 14th and 15th word (proc(5)); the second may hold blanks.
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:  # no such file system, or the process is gone
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def run_cases(numbers: list[int], *, workers: int, results: Path | None = None) -> list[dict[str, object]]:
    """Run cases and return what became of each, those of an earlier run included."""
    done = [json.loads(line) for line in results.read_text().splitlines()] if results and results.exists() else []
    finished = {one["case"] for one in done}
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        if number not in finished:
            todo.put(number)
    lock = threading.Lock()

    def work(folder: Path) -> None:
        worker = Worker(folder)
        try:
            while True:
                outcome = worker.run(todo.get_nowait())
                with lock:
                    done.append(outcome)
                    if results:
                        with results.open("a") as file:
                            file.write(json.dumps(outcome) + "\n")
        except queue.Empty:
            worker.stop()

    with tempfile.TemporaryDirectory(prefix="intrepid-fuzz-") as place:
        threads = [threading.Thread(target=work, args=(Path(place),)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [one for one in done if one["case"] in set(numbers)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    numbers = list(range(given.first, given.first + given.cases))
    started_s = time.monotonic()
    outcomes = run_cases(numbers, workers=given.workers, results=given.results)
    problems = [one for one in outcomes if one["problem"]]
    for one in problems:
        print(json.dumps(one))
    print(f"{verdict(outcomes)} ({(time.monotonic() - started_s) / 60:.1f} min)")
    return 1 if problems else 0


def verdict(outcomes: list[dict[str, object]]) -> str:
    """Count in one line how cases ended."""
    codes = [one.get("code") for one in outcomes if not one["problem"]]
    return (
        f"{len(outcomes)} cases: {codes.count(0)} succeeded, {codes.count(1)} ended with a check failed, "
        f"{codes.count(2)} were refused in one line, {len(outcomes) - len(codes)} problems"
    )


if __name__ == "__main__":
    sys.exit(main())
