"""De-identification after DICOM PS3.15 Annex E, consistent across runs and machines by a secret key."""

from intrepid_rt.deidentify.folder import DeidentifiedFolder, deidentify_folder
from intrepid_rt.deidentify.profile import Options
from intrepid_rt.deidentify.secret_key import SecretKey, key_from_file

__all__ = ["DeidentifiedFolder", "Options", "SecretKey", "deidentify_folder", "key_from_file"]
