"""A Dask cluster of two worker processes imports the same cohort to the same bytes as this machine alone."""

import math
import os

import pytest

from dask_processes import dask_cluster
from intrepid_cohort.database import initialise
from intrepid_cohort.export import export_canonical
from intrepid_cohort.importing import import_folders
from intrepid_cohort.simulation.cohort import write_cohort
from intrepid_rt.distribution.cluster import cluster, run_on_cluster
from intrepid_rt.distribution.workers import Failure
from intrepid_rt.errors import InvalidSetting

KEY = "a key for tests that is long enough"

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with dask_cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


def test_two_workers_give_the_bytes_of_one_process(address, tmp_path):
    write_cohort(tmp_path / "in", patients=3, centres=1, seed=3)
    found = []
    for name, how in (("here", {"processes": 1}), ("cluster", {"scheduler": address})):
        engine = initialise(tmp_path / f"{name}.db", pseudonym_key=KEY)
        result = import_folders(engine, [tmp_path / "in"], **how)
        assert (result.patients_imported, result.failures) == (3, [])
        export_canonical(engine, tmp_path / f"{name}.jsonl")
        engine.dispose()
        found.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert found[0] == found[1]


def test_a_failure_stops_no_other_task_and_both_workers_work(address):
    numbers = [1.0, 4.0, -1.0, *range(5, 30)]
    with cluster(address) as client:
        assert len(set(client.run(os.getpid).values())) == 2
        outcomes = list(run_on_cluster(client, math.sqrt, numbers))
    assert sorted(o.task for o in outcomes) == sorted(numbers)
    assert [o.task for o in outcomes if isinstance(o.result, Failure)] == [-1.0]


def test_a_cluster_that_is_not_there_is_one_line():
    import intrepid_rt.distribution.cluster as module

    before, module._CONNECT_S = module._CONNECT_S, 1
    try:
        with pytest.raises(InvalidSetting, match="No Dask scheduler answers") as caught, cluster("tcp://127.0.0.1:9"):
            pass
    finally:
        module._CONNECT_S = before
    assert len(str(caught.value).splitlines()) == 1
