"""What a hostile or careless DICOM node may answer: a UID becomes the name of a file or folder only if it is one."""

import pytest
from pydicom.dataset import Dataset

import builders
from intrepid_cohort import dicom_node
from intrepid_rt.network.peer import Peer

STRANGE = ["..", ".", "../../elsewhere", "/etc", "", "1" * 65]


@pytest.mark.filterwarnings("ignore:Invalid value|The value length")  # of the parser, while the answer is made
@pytest.mark.parametrize("uid", STRANGE)
def test_a_study_without_a_valid_uid_is_left_out_by_name(monkeypatch, uid):
    def answers(_peer, query):
        answer = Dataset()
        answer.StudyInstanceUID = query.StudyInstanceUID or uid
        yield answer

    monkeypatch.setattr(dicom_node, "_find", answers)
    missing: list[str] = []
    assert dicom_node._find_series(Peer("NODE", "localhost", 104), {}, missing) == []
    assert missing == ([] if not uid else ["An object or study came without a valid UID; it is left out."])


class Service:
    """A DICOMweb service that names one object twice, once with a UID that leads out of the folder."""

    url = "https://archive.example"

    def search(self, **filters):
        if filters["Modality"] != "RTPLAN":
            return []
        return [{"0020000D": {"Value": [study]}, "0020000E": {"Value": ["1.2.4"]}, "00080018": {"Value": [instance]}}
                for study, instance in (("..", "1.2.5"), ("1.2.3", ".."), ("1.2.3", "1.2.5"))]  # fmt: skip

    def retrieve(self, study_uid, series_uid, instance_uid):
        made = builders.new_dataset("RTPLAN", builders.Ids(), uid=instance_uid)
        made.file_meta = builders.FileMetaDataset()
        made.file_meta.TransferSyntaxUID = builders.ExplicitVRLittleEndian
        return made


def test_the_other_objects_come_all_the_same(tmp_path):
    found = dicom_node.fetch_by_web(Service(), {}, tmp_path / "out")
    assert (found.files, found.known, len(found.missing)) == (1, 0, 2)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.dcm")] == ["out/1.2.3/1.2.5.dcm"]
    assert dicom_node.fetch_by_web(Service(), {}, tmp_path / "out").known == 1
