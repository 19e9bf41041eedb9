"""What networks learn from and what becomes of it: pairs of a clinic, a built dataset, a model."""

from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name its documentation uses

import builders
import chain_study
import toy_dataset
import toy_refinement
from builders import Ids, item
from chain_phantoms import soft_field
from intrepid_epid.dataset.manifest import ImagerPanel
from intrepid_epid.networks.card import Calibration, DataStatement, ModelCard, ModelGrid, TrainingRange, save_model
from intrepid_epid.networks.settings import TrainingSettings
from intrepid_epid.portal_dose_file import write_portal_dose
from intrepid_rt.dicom_portal_dose import write_portal_dose_image

PIXEL_MM = 6.4
FACTOR = 30000.0
PLAN = "1.2.826.0.1.3680043.8.498.30"
PAIRS = """id,phantom,image,portal_dose,mu,area_cm2,plane_mm,pixel_mm,gy_per_unit,film_curve
a,slab1,a.dcm,a.nrrd,100,16,1600,,,
b,slab2,b.dcm,b.tif,100,20,1600,6.4,,film.csv
c,slab3,c.dcm,c.txt,100,24,1600,6.4,0.01,
d,slab4,d.dcm,d_dose.dcm,100,28,1600,,,
"""


def make_learning_files(corpus: Path) -> None:
    """Write the folders ``pairs``, ``dataset``, ``model`` and ``refinement``."""
    _pairs(corpus / "pairs")
    toy_dataset.write_toy_dataset(corpus / "dataset", size=16, n_train=2, n_validation=1, n_test=2)
    _model(corpus / "model")
    toy_refinement.write_toy_refinement(corpus / "refinement")


def _pairs(folder: Path) -> None:
    """Write images with their portal doses in every format that is read, and the profile."""
    folder.mkdir()
    chain_study.write_profile(folder / "profile.json")
    for number, name in enumerate("abcd"):
        signal = soft_field(20 + 5 * number, 25, n=48, pixel=PIXEL_MM, sid=1600.0)
        image = builders.rtimage(
            builders.elekta_pixels(signal.values, FACTOR), Ids(f"slab{number + 1}"), pixel_mm=(PIXEL_MM, PIXEL_MM),
            elekta_factor=FACTOR, refer_to_plan=False, beam_number=None,
        )  # fmt: skip
        builders.save(image, folder / f"{name}.dcm")
        dose = signal.with_values(0.4 * signal.values, unit="Gy")
        if name == "a":
            write_portal_dose(dose, folder / "a.nrrd")
        elif name == "b":
            film = sitk.GetImageFromArray(np.rint(50000 - 40000 * dose.values).astype(np.uint16))
            sitk.WriteImage(film, str(folder / "b.tif"))
        elif name == "c":
            rows = [" ".join(f"{100 * value:.4f}" for value in row) for row in dose.values]
            (folder / "c.txt").write_text("# cGy\n" + "\n".join(rows) + "\n")
        else:
            about = item(PatientID="slab4", PatientName="Doe^Secret")
            write_portal_dose_image(folder / "d_dose.dcm", dose, plan_uid=PLAN, beam_number=1, template=about)
    (folder / "film.csv").write_text("value,dose_gy\n0,1.25\n50000,0\n")
    (folder / "pairs.csv").write_text(PAIRS)


def _model(folder: Path) -> None:
    """Write two untrained networks as a model, with an image, and a profile of their machine."""
    import torch

    from intrepid_epid.networks.architecture.variants import variant

    folder.mkdir()
    chain_study.write_profile(folder / "profile.json")
    signal = 0.5 * soft_field(35, 30, n=64, pixel=PIXEL_MM, edge_mm=4.0).values
    with mock.patch.object(builders, "generate_uid", return_value="1.2.826.0.1.3680043.8.498.31"):
        image = builders.rtimage(
            builders.elekta_pixels(signal, FACTOR), Ids(), pixel_mm=(PIXEL_MM, PIXEL_MM), elekta_factor=FACTOR,
            refer_to_plan=False, beam_number=None,
        )  # fmt: skip
    builders.save(image, folder / "image.dcm")
    torch.manual_seed(1)
    weights = {name: variant("residual")(2, 2).state_dict() for name in ("one", "two")}
    save_model(folder, _card(tuple(weights)), weights)


def _card(members: tuple[str, ...]) -> ModelCard:
    settings = TrainingSettings(
        preset="small", variant="residual", filters=(2,), learning_rates=(0.01,), batch_sizes=(4,), repeats=1, folds=2,
        epochs=1, size_px=64, inputs=("transmission",),
    )  # fmt: skip
    bands = [
        Calibration(
            inputs=inputs, quantile=2.0, floor=0.004, edge_mm=0.05, n_pairs=9, held_out="validation part",
            coverage_percent=95.0, half_width_percent=2.0, error_percent=1.0,
        )
        for inputs in ((), ("transmission",))
    ]  # fmt: skip
    data = DataStatement(
        manifest_sha256="0" * 64,
        n_train=9,
        n_validation=3,
        n_test=3,
        split="by phantom",
        families=("SLAB",),
        about="toys",
    )
    ranges = [
        ("source_to_image_mm", 1590.0, 1610.0), ("area_cm2", 3.0, 400.0), ("off_axis_mm", 0.0, 100.0),
        ("modulation_percent", 0.0, 60.0), ("noise_percent", 0.0, 50.0), ("background_percent", 0.0, 50.0),
        ("transmission_percent", 1.0, 200.0),
    ]  # fmt: skip
    return ModelCard(
        name="toy", created="2026-01-01T00:00:00+00:00", software_version="0", variant="residual", filters=2,
        inputs=("transmission",), members=members, grid=ModelGrid(64, 4.0, 1), machine="LINAC1", energy="6 MV",
        panel=ImagerPanel("Elekta", 409.6, 409.6), intended_use="tests", data=data, settings=settings,
        configurations={"one": 1.0}, member_errors_percent=(1.0, 1.0), calibrations=tuple(bands),
        domain=tuple(TrainingRange(*one) for one in ranges), training_seconds=1.0, trained_on="cpu", versions={},
    )  # fmt: skip
