"""Damage to a file: what transfers, disks, converters and ill-meaning people do to it."""

import json
import os
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

Mutation = Callable[[Path, random.Random], None]
ABSURD_NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e308",
    "-1e308",
    "1e-320",
    "0",
    "-1",
    "9" * 16,
    "",
    "abc",
    "1,5",
    "0x10",
    "1\\2\\3\\4",
)
ABSURD_VALUES = (
    None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**40, "", "abc", "1", [], {}, [1, 2, 3], "\x00", "\ud800",
)  # fmt: skip


def truncate(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def flip_bits(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30, 300))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def flip_header_bits(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 2, 8))):
        content[rng.randrange(128, min(len(content), 3000))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def overwrite_block(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start, length = rng.randrange(len(content)), rng.choice((4, 64, 4096))
    content[start : start + length] = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    path.write_bytes(content)


def remove_block(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    start = rng.randrange(len(content))
    path.write_bytes(content[:start] + content[start + rng.choice((1, 2, 17, 512)) :])


def giant_length(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start = rng.randrange(132, len(content) - 4)
    content[start : start + 4] = struct.pack("<L", rng.choice((0xFFFFFFFE, 0x7FFFFFFF, 0x10000000, 0xFFFFFFFF)))
    path.write_bytes(content)


def empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(rng.choice((b"", b"\0" * 132, b"DICM", bytes(128) + b"DICM", b"<html>" * 99)))


def symbolic_link(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(rng.choice((path.name, "/dev/zero", "/nonexistent", ".", "/etc/passwd")))


def becomes_folder(path: Path, _rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def becomes_pipe(path: Path, _rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _places(dataset: Dataset) -> list[tuple[Dataset, Tag]]:
    found = []
    for tag in list(dataset.keys()):
        found.append((dataset, tag))
        if dataset[tag].VR == "SQ":
            for item in dataset[tag].value:
                found += _places(item)
    return found


def _edited(change: Callable[[Dataset, Tag, random.Random], None]) -> Mutation:
    def mutation(path: Path, rng: random.Random) -> None:
        dataset = pydicom.dcmread(path)
        for _ in range(rng.choice((1, 1, 2, 5))):
            change(*rng.choice(_places(dataset)), rng)
        dataset.save_as(path)

    mutation.__name__ = change.__name__.strip("_")
    return mutation


def _raw(dataset: Dataset, tag: Tag, vr: str, value: bytes) -> None:
    dataset._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


def _remove(dataset: Dataset, tag: Tag, _rng: random.Random) -> None:
    dataset.pop(tag, None)


def _empty_value(dataset: Dataset, tag: Tag, _rng: random.Random) -> None:
    if tag in dataset:
        dataset[tag].value = None if dataset[tag].VR != "SQ" else []


def _absurd(dataset: Dataset, tag: Tag, rng: random.Random) -> None:
    if tag in dataset and dataset[tag].VR in ("DS", "IS"):
        text = rng.choice(ABSURD_NUMBERS).encode()
        _raw(dataset, tag, dataset[tag].VR, text + b" " * (len(text) % 2))


def _wrong_vr(dataset: Dataset, tag: Tag, rng: random.Random) -> None:
    _raw(
        dataset, tag, rng.choice(("LO", "US", "FD", "OB", "UN", "UI", "PN", "AT")), rng.randbytes(2 * rng.randrange(9))
    )


def _wrong_vm(dataset: Dataset, tag: Tag, rng: random.Random) -> None:
    if tag in dataset and dataset[tag].VR in ("DS", "IS", "CS", "UI", "LO"):
        count = rng.choice([number for number in (2, 7, 100) if number != dataset[tag].VM])
        _raw(dataset, tag, dataset[tag].VR, b"\\".join([b"1"] * count) + b" " * ((2 * count - 1) % 2))


def _charset(dataset: Dataset, _tag: Tag, rng: random.Random) -> None:
    dataset.SpecificCharacterSet = rng.choice(
        (["", "ISO 2022 IR 87"], "GB18030", "NONSENSE", ["ISO_IR 192", "ISO_IR 100"])
    )
    _raw(dataset, Tag("PatientName"), "PN", rng.randbytes(12))


def _duplicate_uid(dataset: Dataset, tag: Tag, rng: random.Random) -> None:
    if tag in dataset and dataset[tag].VR == "UI":
        dataset[tag].value = rng.choice(("1.2.3", "", "not.a.uid", "1." * 60 + "1"))


def deep_nesting(path: Path, rng: random.Random) -> None:
    dataset = pydicom.dcmread(path)
    inner = Dataset()
    depth = rng.choice((20, 90, 240))
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedStudySequence = Sequence([inner])
        inner = outer
    dataset.ReferencedStudySequence = Sequence([inner])
    dataset.save_as(path)


def deeper_nesting(path: Path, rng: random.Random) -> None:
    # Written by hand: pydicom cannot write what it cannot read.
    depth = rng.choice((400, 3000))
    start = struct.pack("<HH2sHL", 0x0008, 0x1110, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    content = path.read_bytes()
    at = content.find(struct.pack("<HH", 0x0010, 0x0010) + b"PN")
    path.write_bytes(content[:at] + start * depth + end * depth + content[at:])


def copy_beside(path: Path, rng: random.Random) -> None:
    twin = path.with_name("twin_" + path.name)
    content = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        content[-1] ^= 1
    twin.write_bytes(content)


def absurd_text_number(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    numbers = list(re.finditer(rb"-?\d+(?:[.,]\d+)?", content))
    found = rng.choice(numbers)
    path.write_bytes(content[: found.start()] + rng.choice(ABSURD_NUMBERS).encode() + content[found.end() :])


def _json_places(value: object) -> list[tuple[object, object]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _json_places(value[key])]


def absurd_json_value(path: Path, rng: random.Random) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    for _ in range(rng.choice((1, 1, 3))):
        owner, key = rng.choice(_json_places(content))
        owner[key] = rng.choice(
            (
                None,
                True,
                -1,
                0,
                1e308,
                float("nan"),
                float("inf"),
                10**40,
                "",
                "abc",
                "1",
                [],
                {},
                [1, 2, 3],
                "\x00",
                "\ud800",
            )
        )
    path.write_text(json.dumps(content), encoding="utf-8")


def json_key_removed(path: Path, rng: random.Random) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    owner, key = rng.choice(_json_places(content))
    del owner[key]
    path.write_text(json.dumps(content), encoding="utf-8")


def nested_json(path: Path, rng: random.Random) -> None:
    depth = rng.choice((100, 1000, 100_000))
    path.write_text(rng.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth)))


def mixed_encodings(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(10):
        content[rng.randrange(len(content))] = rng.choice((0xE4, 0xFF, 0x00, 0x80))
    path.write_bytes(rng.choice((b"", b"\xef\xbb\xbf", b"\xff\xfe")) + content)


def shuffled_lines(path: Path, rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if rng.random() < 0.95]
    if rng.random() < 0.5:
        rng.shuffle(kept)
    path.write_bytes(b"".join(kept * rng.choice((1, 1, 2))))


BYTES: tuple[Mutation, ...] = (
    truncate,
    flip_bits,
    overwrite_block,
    remove_block,
    empty,
    symbolic_link,
    becomes_pipe,
    becomes_folder,
)
DICOM: tuple[Mutation, ...] = (
    *BYTES, flip_header_bits, giant_length, deep_nesting, deeper_nesting, copy_beside,
    *(_edited(change) for change in (_remove, _remove, _empty_value, _absurd, _absurd, _wrong_vr, _wrong_vm, _charset,
                                     _duplicate_uid)),
)  # fmt: skip
JSON: tuple[Mutation, ...] = (
    *BYTES, absurd_json_value, absurd_json_value, absurd_json_value, json_key_removed, json_key_removed, nested_json,
)  # fmt: skip
TEXT: tuple[Mutation, ...] = (*BYTES, absurd_text_number, absurd_text_number, mixed_encodings, shuffled_lines)
