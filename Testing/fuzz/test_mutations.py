"""A sample of the damaged inputs in every test run; thousands by ``Testing/fuzz/run.py``."""

import json

from fuzz.run import run_cases

CASES = 300


def test_mutated_inputs_end_in_success_or_one_line(tmp_path):
    results = tmp_path / "results.jsonl"
    outcomes = run_cases(list(range(CASES)), workers=1, results=results)
    assert [one for one in outcomes if one["problem"]] == []
    assert len(outcomes) == CASES
    codes = [one["code"] for one in outcomes]
    assert codes.count(0) > CASES / 10
    assert codes.count(2) > CASES / 10
    # A second run takes up the results of the first and runs nothing again.
    assert len(results.read_text().splitlines()) == CASES
    again = run_cases(list(range(CASES)), workers=1, results=results)
    assert len(again) == len(results.read_text().splitlines()) == CASES
    assert {one["case"] for one in map(json.loads, results.read_text().splitlines())} == set(range(CASES))
