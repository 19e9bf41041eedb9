"""How good a portal dose model is on a dataset: per sample, per phantom and field, and the worst cases to look at."""

from intrepid_cli.evaluation.samples import CRITERIA, Sample, judged_sample
from intrepid_cli.evaluation.summary import Row, by_family, by_phantom_and_field, overall

__all__ = ["CRITERIA", "Row", "Sample", "by_family", "by_phantom_and_field", "judged_sample", "overall"]
