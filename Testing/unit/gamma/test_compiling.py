"""Whether the first call will compile, which the command line announces."""

import os
import subprocess
import sys

PROGRAM = "from intrepid_gamma.compiling import is_compiled; print(is_compiled())"


def said(**environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_an_empty_cache_means_that_compiling_is_still_to_come(tmp_path):
    assert said(NUMBA_CACHE_DIR=str(tmp_path)) == "False"


def test_compiled_code_of_an_earlier_run_is_found(ent_pair):
    from intrepid_gamma.compiling import compile_for

    compile_for(ent_pair[0].values.dtype)
    assert said() == "True"
