"""One worker process: case numbers on standard input, one JSON line per case on standard output."""

import json
import os
import resource
import sys
from pathlib import Path

ADDRESS_SPACE_MB = 6000  # compiled kernels map much that they never touch; the peak of what is used is checked per case


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_MB << 20, ADDRESS_SPACE_MB << 20))
    # The answers go to the real standard output, whatever the code under test prints.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from fuzz.cases import run_case
    from fuzz.corpus import make_corpus

    corpus = make_corpus(Path(sys.argv[1]))
    for line in sys.stdin:
        try:
            result = run_case(int(line), corpus)
        except Exception as error:  # the case itself failed, for example because output was no JSON
            result = {"case": int(line), "problem": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
