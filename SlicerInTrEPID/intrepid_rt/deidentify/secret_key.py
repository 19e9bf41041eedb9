"""Pseudonyms, new UIDs and date shifts from a secret key: the same on every machine that holds the key, and only there.

Everything is a keyed hash (HMAC-SHA-256) of the original. Each product carries a check that only the key can make, so
that what was de-identified before is recognised and stays as it is: de-identifying twice gives the same files.
"""

import base64
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from intrepid_rt.errors import InvalidSetting, OutputNotWritable, UnreadableFile
from intrepid_rt.small_files import read_small_text

KEY_BYTES = 32
# Whole weeks keep the day of the week, which fractionation depends on; a century back can be mistaken for no real date
# of the treatment, and never meets one of them.
_WEEKS_BACK = (5218, 6261)


@dataclass(frozen=True)
class SecretKey:
    """Keyed hashes of identifiers; the key itself is shown nowhere."""

    secret: bytes = field(repr=False)

    def _hash(self, purpose: str, text: str | bytes) -> bytes:
        message = text.encode() if isinstance(text, str) else text
        return hmac.new(self.secret, purpose.encode() + b"\0" + message, hashlib.sha256).digest()

    def uid(self, uid: str) -> str:
        """UID for a UID, of the form 2.25.<UUID as integer> (PS3.5 B.2); one made by this key stays.

        >>> key = SecretKey(bytes(32))
        >>> key.uid("1.2.3") == key.uid(key.uid("1.2.3")), key.uid("1.2.3") == key.uid("1.2.4")
        (True, False)
        """
        if self.made_uid(uid):
            return uid
        body = bytearray(self._hash("uid", uid)[:12])
        body[6] = 0x80 | body[6] & 0x0F  # version 8: free form
        body[8] = 0x80 | body[8] & 0x3F  # variant of RFC 9562
        return f"2.25.{int.from_bytes(bytes(body) + self._check(bytes(body)), 'big')}"

    def made_uid(self, uid: str) -> bool:
        """Whether this key made the UID."""
        digits = uid.removeprefix("2.25.")
        if digits == uid or not digits.isdecimal() or int(digits) >= 1 << 128:
            return False
        whole = int(digits).to_bytes(16, "big")
        return hmac.compare_digest(whole[12:], self._check(whole[:12]))

    def _check(self, body: bytes) -> bytes:
        return self._hash("made", body)[:4]

    def pseudonym(self, patient: str) -> str:
        """Name and ID in place of a patient identifier; a pseudonym made by this key stays."""
        if self.made_pseudonym(patient):
            return patient
        body = self._hash("patient", patient.strip())[:10]
        return "P-" + base64.b32encode(body + self._check(body)[:3]).decode().rstrip("=")

    def made_pseudonym(self, text: str) -> bool:
        """Whether this key made the pseudonym."""
        if not text.startswith("P-") or len(text) != 23:
            return False
        try:
            whole = base64.b32decode(text[2:] + "===")
        except ValueError:
            return False
        return hmac.compare_digest(whole[10:], self._check(whole[:10])[:3])

    def stand_in(self, text: str) -> str:
        """Short stand-in for a piece of a label."""
        return "X" + self._hash("label", text.casefold()).hex()[:3]

    def days(self, patient: str) -> int:
        """Days by which the dates of a patient move, whole weeks a century back; 0 for a pseudonym of this key."""
        if self.made_pseudonym(patient):
            return 0
        first, end = _WEEKS_BACK
        weeks = first + int.from_bytes(self._hash("days", patient.strip())[:8], "big") % (end - first)
        return -7 * weeks


def key_from_file(path: str | Path) -> SecretKey:
    """Read the key, or make one that only its owner may read.

    Raises
    ------
    InvalidSetting
        Others may read the file, or it holds no key.
    OutputNotWritable
        A new key cannot be written.
    """
    path = Path(path)
    if not path.exists():
        _make(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InvalidSetting(f"{path} can be read by others than its owner; expected mode 0600. Run chmod 600 on it.")
    try:
        secret = bytes.fromhex(read_small_text(path, largest_mb=0.1).strip())
    except (ValueError, UnreadableFile):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise InvalidSetting(f"{path} holds no key of {KEY_BYTES} bytes in hexadecimal digits. Name another file.")
    return SecretKey(secret)


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # O_EXCL: two runs that start together must not end with two keys.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
    except FileExistsError:
        return
    except OSError as error:
        raise OutputNotWritable(f"{path} could not be written: {error.strerror}. Name another --key file.") from error
