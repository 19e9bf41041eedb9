"""Names for patients that tell nothing without the key of the database."""

import hashlib
import hmac


def pseudonym(key: bytes, *, centre: str, patient_id: str) -> str:
    """Return the pseudonym of a patient identifier at a centre: the same for the same key, centre and identifier.

    >>> pseudonym(b"k" * 32, centre="A", patient_id="1") == pseudonym(b"k" * 32, centre="B", patient_id="1")
    False
    """
    message = f"{centre}\0{patient_id}".encode()
    return "P" + hmac.new(key, message, hashlib.sha256).hexdigest()[:16]
