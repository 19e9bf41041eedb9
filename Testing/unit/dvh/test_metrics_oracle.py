import pytest

from intrepid_dvh.metric_grammar import parse_metric


def expected_of(row, number):
    """R's value, or the fixed one where R misbehaves."""
    return number(row["expected_fixed"] if row["quirk"] else row["expected"])


@pytest.mark.parametrize("table", ["metrics", "metrics_model"])
def test_every_metric_agrees_with_r(oracle, curves, number, agrees, arguments, table):
    rows = oracle(table)
    failures = []
    for row in rows:
        dvh = curves[row["patID"], row["structure"]]
        metric = dvh.metric(row["metric"], interp=row["interp"], **arguments(row["args"]))
        if not agrees(metric.value, expected_of(row, number)):
            failures.append(
                (row["check_id"], row["structure"], row["metric"], row["interp"], metric, expected_of(row, number))
            )
        assert (metric.value is not None) or metric.reason, row
    assert len(rows) > 100
    assert not failures, f"{len(failures)} of {len(rows)}: {failures[:40]}"


def test_metric_grammar_agrees_with_r(oracle):
    rows = oracle("metric_grammar")
    assert len(rows) == 49
    for row in rows:
        parsed = parse_metric(row["input"])
        assert parsed.valid == (row["valid"] == "TRUE"), row
        if parsed.valid:
            assert (parsed.canonical, parsed.letter, parsed.quantity, parsed.unit, parsed.output) == (
                *(row["canonical"], row["DV"], row["valRef"], row["unitRef"], row["unitDV"]),
            ), row
