"""Where nodes stand in the subject hierarchy, with the names DICOM and SlicerRT give to what they are."""

from typing import Any

from intrepid_rt.verification import PatientIdentity, PlanIdentity, VerificationResult

RT = "DicomRtImport."
UID, INSTANCE_UID = "DICOM", "DICOMInstanceUID"


class Hierarchy:
    """Patient and study items of one verification, and the items of its nodes below the study."""

    def __init__(self, scene: Any, result: VerificationResult) -> None:
        self.tree = scene.GetSubjectHierarchyNode() or _new_tree(scene)
        self.patient = self._patient(result.patient)
        self.study = self._study(result.plan)
        self.plan_uid = result.plan.sop_instance_uid
        # SlicerRT keeps the unit of all doses of a study here; its value is a scaling, already applied to the voxels.
        self.set(
            self.study, {RT + "DoseUnitName": "RELATIVE" if result.is_relative else "GY", RT + "DoseUnitValue": "1"}
        )

    def _patient(self, patient: PatientIdentity) -> int:
        item = self.tree.CreateSubjectItem(self.tree.GetSceneItemID(), patient.name or patient.patient_id or "Patient")
        self.tree.SetItemUID(item, UID, patient.patient_id)
        self.set(
            item,
            {
                "DICOM.PatientName": patient.name,
                "DICOM.PatientID": patient.patient_id,
                "DICOM.PatientSex": patient.sex,
                "DICOM.PatientBirthDate": patient.birth_date,
            },
        )
        return item

    def _study(self, plan: PlanIdentity) -> int:
        item = self.tree.CreateStudyItem(self.patient, plan.study_description or plan.label or "Study")
        self.tree.SetItemUID(item, UID, plan.study_instance_uid)
        self.set(
            item,
            {
                "DICOM.StudyInstanceUID": plan.study_instance_uid,
                "DICOM.StudyDate": plan.study_date,
                "DICOM.StudyDescription": plan.study_description,
            },
        )
        return item

    def folder(self, name: str, parent: int | None = None) -> int:
        """Make a folder below the study or below another item."""
        return self.tree.CreateFolderItem(self.study if parent is None else parent, name)

    def place(
        self,
        node: Any,
        *,
        parent: int | None = None,
        modality: str = "",
        series_uid: str = "",
        instance_uid: str = "",
        referenced_uid: str = "",
        attributes: dict[str, str] | None = None,
    ) -> int:
        """Put a node below the study or ``parent``, with its DICOM identity; empty values are left out."""
        item = self.tree.CreateItem(self.study if parent is None else parent, node)
        for name, value in ((UID, series_uid), (INSTANCE_UID, instance_uid)):
            if value:
                self.tree.SetItemUID(item, name, value)
        self.set(
            item, {"DICOM.Modality": modality, "DICOM.ReferencedInstanceUIDs": referenced_uid, **(attributes or {})}
        )
        return item

    def set(self, item: int, attributes: dict[str, str]) -> None:
        """Set item attributes that are not empty."""
        for name, value in attributes.items():
            if value:
                self.tree.SetItemAttribute(item, name, value)


def place_beside(scene: Any, node: Any, neighbour: Any) -> None:
    """Put a node into the study of another one; nothing happens if that stands in none."""
    tree = scene.GetSubjectHierarchyNode()
    beside = tree.GetItemByDataNode(neighbour) if tree else 0
    if not beside:
        return
    parent = tree.GetItemParent(beside)
    item = tree.GetItemByDataNode(node)
    if item:
        tree.SetItemParent(item, parent)
    else:
        tree.CreateItem(parent, node)


def _new_tree(scene: Any) -> Any:
    return scene.AddNewNodeByClass("vtkMRMLSubjectHierarchyNode", "SubjectHierarchy")
