"""Files that people hand over: pipes, links, short lines and foreign forms are said, never waited for."""

import json
import os

import msgspec
import pytest

import builders
from builders import Ids
from intrepid_rt.deidentify import SecretKey, deidentify_folder
from intrepid_rt.errors import MissingObject, UnreadableFile
from intrepid_rt.network.outbox import parcels
from intrepid_rt.scan import scan_files
from intrepid_rt.small_files import entries_below, read_rows, read_small_bytes, read_struct


class Point(msgspec.Struct):
    x_mm: float


def read_point(path):
    return read_struct(path, Point, complaint="no point", advice="Draw it again.")


def test_a_table_of_any_country_with_short_and_long_lines(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('name;dose\n"two\nlines";1,5\nshort\nlong;2;3\n', encoding="utf-8-sig")
    assert read_rows(path) == [
        {"name": "two\nlines", "dose": "1,5"},
        {"name": "short", "dose": ""},
        {"name": "long", "dose": "2"},
    ]
    path.write_text("name,dose\n" + "x" * 200_000 + ",1\n")
    with pytest.raises(UnreadableFile, match="no table"):
        read_rows(path)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"x_mm": "1"}', b'"\xff"', b"[" * 100_000, b"nan"])
def test_another_form_is_named_with_what_to_do(tmp_path, content):
    path = tmp_path / "point.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"point\.json is no point: .*Draw it again"):
        read_point(path)
    path.write_text(json.dumps({"x_mm": 2.5}))
    assert read_point(path) == Point(2.5)


def test_pipes_and_links_to_nowhere_end_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("link")
    for name in ("pipe", "link", "absent", "."):
        with pytest.raises(UnreadableFile):
            read_small_bytes(tmp_path / name)


def test_no_file_at_all_is_one_line():
    with pytest.raises(MissingObject, match=r"empty holds no DICOM object: 0 file\(s\)\."):
        scan_files([], place="empty")


def test_a_linked_folder_is_listed_and_not_followed(tmp_path):
    """A patient's folder that is a link would otherwise be missing without a word."""
    builders.write_treatment(tmp_path / "study", Ids())
    elsewhere = builders.write_treatment(tmp_path / "elsewhere", Ids("OTHER"))
    (tmp_path / "study" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert tmp_path / "study" / "linked" in entries_below(tmp_path / "study")
    found, left = parcels([tmp_path / "study"])
    assert elsewhere.plan not in {one.sop_instance_uid for one in found}
    assert [path.name for path, _ in left] == ["linked"]
    result = deidentify_folder(tmp_path / "study", tmp_path / "out", SecretKey(bytes(32)))
    assert [name for name, _ in result.left_out] == ["linked"]
