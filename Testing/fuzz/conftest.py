"""The guided fuzzer is a program of its own, and atheris is installed by ``make fuzz-guided`` only."""

collect_ignore = ["guided.py"]
