"""Every kind of file in the corpus is read without complaint before it is damaged."""

import pytest

from fuzz.actions import perform
from fuzz.corpus import make_corpus
from fuzz.judging import problem_of
from fuzz.targets import TARGETS, copy_of, files_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_undamaged_files_are_read(target, corpus, tmp_path):
    study = copy_of(target, corpus, tmp_path)
    assert files_of(target, study)
    first, *others = files_of(target, study)
    runs = [(first, action) for action in dict.fromkeys(target.actions)]
    runs += [(path, target.actions[-1]) for path in others]
    for path, action in runs:
        outcome = perform(action, path, study)
        assert outcome.code in (0, 1), (path.name, action, outcome.err)
        assert problem_of(outcome, tmp_path, 0.0) == "", (path.name, action)
