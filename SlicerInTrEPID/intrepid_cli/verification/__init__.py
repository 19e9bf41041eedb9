"""The main job: a study folder in, a verified dose out. One module per step."""

from intrepid_cli.verification.settings import VerificationSettings, parse_criteria
from intrepid_cli.verification.verify import verify_study

__all__ = ["VerificationSettings", "parse_criteria", "verify_study"]
