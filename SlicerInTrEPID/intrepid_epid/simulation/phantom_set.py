"""A folder of simulated treatments: what ``intrepid simulate phantoms`` writes, pair by pair, and goes on with."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from intrepid_epid.aperture import open_area_cm2
from intrepid_epid.simulation import fields
from intrepid_epid.simulation.clinic_export import Identity, write_ct, write_dose, write_image, write_plan
from intrepid_epid.simulation.phantoms import density_of, hounsfield, simulated_ct_curve
from intrepid_epid.simulation.portal_images import PRIMARIES, simulate_image
from intrepid_epid.simulation.simulation_plans import SimulatedPlan, pair_id, plans_of
from intrepid_epid.simulation.treatment_machine import SimulatedMachine
from intrepid_rt.atomic import replacing, write_text
from intrepid_rt.errors import InvalidSetting
from intrepid_rt.plan import Beam

SETTINGS, PAIR_TABLE = "simulation.json", "pairs.csv"
OPEN_FIELDS = "open_fields"
_OPEN_SIZES = ("2x2", "5x5", "10x10", "15x15", "20x20", "4x20", "20x4", "10x2")
_OPEN_METERSETS_MU = {"10x10": (100.0, 20.0, 300.0)}  # one field at several, for the linearity
_VOXEL_MM = 3.0


class SimulationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated set was made with; a folder goes on only with the same."""

    set_name: str
    seed: int
    count: int | None
    primaries: int
    dose_suffix: str
    machine: dict[str, float | str]


def simulate_set(
    folder: str | Path,
    *,
    set_name: str = "founding",
    seed: int = 0,
    count: int | None = None,
    machine: SimulatedMachine | None = None,
    primaries: int = PRIMARIES,
    dose_suffix: str = ".dcm",
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[SimulatedPlan, ...]:
    """Simulate a set, or finish one that was interrupted; the same settings give the same pixels.

    Parameters
    ----------
    dose_suffix : str
        ".dcm" writes portal doses as RTIMAGE in Gy, ".nrrd" as NRRD.
    progress : callable
        Is told the name of every pair when it is there.

    Raises
    ------
    InvalidSetting
        The folder was begun with other settings, or the set is unknown.
    """
    folder, machine = Path(folder), machine or SimulatedMachine()
    plans = plans_of(set_name, seed=seed, count=count)
    settings = SimulationSettings(
        set_name=set_name,
        seed=seed,
        count=count,
        primaries=primaries,
        dose_suffix=dose_suffix,
        machine=_numbers(machine),
    )
    _begin(folder, settings)
    write_text(folder / PAIR_TABLE, _pair_table(plans, dose_suffix))
    write_open_fields(folder / OPEN_FIELDS, machine, seed=seed)
    for index, plan in enumerate(plans):
        for name in _simulate_plan(folder / plan.phantom.name, plan, machine, settings, index):
            progress(name)
    return plans


def write_open_fields(folder: Path, machine: SimulatedMachine, *, seed: int) -> None:
    """Write what ``intrepid commission`` needs: open fields with their portal doses, beam model and CT curve."""
    rows = ["name,mu,x1_mm,x2_mm,y1_mm,y2_mm,area_cm2"]
    who = Identity(f"QA-{machine.name}", f"open fields {seed}")
    for number, beam in enumerate(_open_beams(machine), 1):
        x, y = beam.control_points[0].jaw_x_mm or (0, 0), beam.control_points[0].jaw_y_mm or (0, 0)
        rows.append(f"{beam.name},{beam.meterset_mu:g},{x[0]:g},{x[1]:g},{y[0]:g},{y[1]:g},{open_area_cm2(beam):g}")
        dose_path = folder / f"{beam.name}_open.nrrd"
        if not dose_path.is_file():
            image = simulate_image(machine, beam, None, seed=seed * 1000 + number)
            write_image(folder / f"{beam.name}_open.dcm", image.signal, beam, machine, who)
            write_dose(dose_path, image, beam, machine, who)
    write_text(folder / "fields.csv", "\n".join(rows) + "\n")
    spectrum, curve = machine.spectrum, simulated_ct_curve()
    bins = zip(spectrum.low_mev, spectrum.high_mev, spectrum.weight, strict=True)
    write_text(
        folder / "beam_model.csv",
        "e_low_mev,e_high_mev,weight\n" + "".join(f"{low:g},{high:g},{weight:.8g}\n" for low, high, weight in bins),
    )
    points = zip(curve.hu, curve.density_g_cc, curve.relative_electron_density, strict=True)
    write_text(
        folder / "ct_curve.csv",
        "hu,density_g_cc,relative_electron_density\n" + "".join(f"{h:g},{d:g},{e:g}\n" for h, d, e in points),
    )


def _open_beams(machine: SimulatedMachine) -> Iterator[Beam]:
    for size in _OPEN_SIZES:
        for meterset in _OPEN_METERSETS_MU.get(size, (100.0,)):
            name = size if meterset == 100.0 else f"{size}_{meterset:g}mu"
            yield fields.centred(size, name=name, meterset_mu=meterset, machine=machine.name)


def _numbers(machine: SimulatedMachine) -> dict[str, float | str]:
    stated = {f.name: getattr(machine, f.name) for f in dataclasses.fields(machine) if f.name != "spectrum"}
    # JSON knows no infinity.
    return {name: str(v) if isinstance(v, float) and not np.isfinite(v) else v for name, v in stated.items()}


def _begin(folder: Path, settings: SimulationSettings) -> None:
    path = folder / SETTINGS
    if path.is_file():
        try:
            found = msgspec.json.decode(path.read_bytes(), type=SimulationSettings)
        except msgspec.DecodeError as error:
            raise InvalidSetting(
                f"{path} holds no settings of a simulation ({error}). Choose another folder."
            ) from error
        # In the form JSON gives back, where 1.0 and 1 are one number.
        if found != msgspec.json.decode(msgspec.json.encode(settings), type=SimulationSettings):
            raise InvalidSetting(f"{folder} was begun with other settings (see {SETTINGS}). Choose another folder.")
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise InvalidSetting(f"{folder} holds other files. Choose an empty or a new folder.")
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(settings), indent=1) + b"\n")


def _pair_table(plans: tuple[SimulatedPlan, ...], dose_suffix: str) -> str:
    columns = ("id", "phantom", "family", "plan", "field", "split", "image", "portal_dose", "mu", "area_cm2")
    rows = [
        (
            pair_id(plan, beam), plan.phantom.name, plan.phantom.family, plan.label, field, plan.split,
            f"{plan.phantom.name}/{_image_name(beam)}", f"{plan.phantom.name}/{_dose_name(beam, dose_suffix)}",
            f"{beam.meterset_mu:g}", f"{open_area_cm2(beam):.2f}",
        )
        for plan in plans
        for beam, field in zip(plan.beams, plan.fields, strict=True)
    ]  # fmt: skip
    return "".join(",".join(row) + "\n" for row in (columns, *rows))


def _image_name(beam: Beam) -> str:
    return f"RTIMAGE_{beam.name}.dcm"


def _dose_name(beam: Beam, suffix: str) -> str:
    return f"{beam.name}_portal_dose{suffix}"


def _simulate_plan(
    folder: Path, plan: SimulatedPlan, machine: SimulatedMachine, settings: SimulationSettings, index: int
) -> Iterator[str]:
    """Write what is not there yet of one plan; yields the name of every pair."""
    missing = [b for b in plan.beams if not (folder / _dose_name(b, settings.dose_suffix)).is_file()]
    who = Identity(plan.phantom.name, f"{settings.set_name} {settings.seed}")
    units, origin = hounsfield(plan.phantom, voxel_mm=_VOXEL_MM) if missing else (None, None)
    if units is not None and origin is not None:
        if not (folder / "RTPLAN.dcm").is_file():
            write_ct(folder, units, origin, _VOXEL_MM, who)
            write_plan(folder / "RTPLAN.dcm", plan.label, plan.beams, who)
        density = density_of(units, origin, voxel_mm=_VOXEL_MM)
    for beam in plan.beams:
        if beam in missing:
            seed = (settings.seed * 1000 + index) * 100 + beam.number
            image = simulate_image(machine, beam, density, seed=seed, primaries=settings.primaries)
            write_image(folder / _image_name(beam), image.signal, beam, machine, who)
            # Last, because its presence says that the pair is complete.
            write_dose(folder / _dose_name(beam, settings.dose_suffix), image, beam, machine, who)
        yield pair_id(plan, beam)
