"""From a verification to the HTML file: figures and rows into the template."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from intrepid_cli.report import rows, style
from intrepid_cli.report.curves import dvh_figure, histogram_figure, profile_figure
from intrepid_cli.report.day import checkerboard_figure
from intrepid_cli.report.day_text import day_rows
from intrepid_cli.report.planes import dose_figure, gamma_figure, planes_through_isocentre
from intrepid_cli.report.portal import beam_figure, gamma_shown
from intrepid_rt.atomic import write_text
from intrepid_rt.research_note import RESEARCH_NOTE
from intrepid_rt.verification import GammaOutcome, VerificationResult


def write_report(result: VerificationResult, path: str | Path) -> None:
    """Write the report as one self-contained HTML file.

    Parameters
    ----------
    result : VerificationResult
    path : path of the HTML file; replaced only when the new one is complete.

    Raises
    ------
    OutputNotWritable
        The file cannot be written.
    """
    write_text(path, render(result))


def render(result: VerificationResult) -> str:
    """Return the report as HTML; every text from the files is escaped, every picture is inside."""
    # Here, because the package of the verification imports the report.
    from intrepid_cli.verification.results import as_results
    from intrepid_cli.verification.seal import results_sha256

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(number=rows.number, date=rows.date)
    source = files("intrepid_cli.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    template = environment.from_string(source)
    sha256 = results_sha256(as_results(result))
    return template.render(result=result, rows=rows, figures=figures(result), note=RESEARCH_NOTE, sha256=sha256)


def figures(result: VerificationResult) -> dict[str, Any]:
    """Draw every figure there is material for; name to data URI, ``beams`` to a list of them."""
    planes = planes_through_isocentre(result)
    drawn: dict[str, Any] = {
        "dose": style.as_image(dose_figure(result, planes)),
        "profiles": style.as_svg(profile_figure(result)),
        "beams": [style.as_image(beam_figure(beam, result.dose_unit)) for beam in result.beams],
        "beam_gamma": [gamma_shown(beam) for beam in result.beams],
    }
    if result.day is not None:
        drawn["checkerboard"] = style.as_image(checkerboard_figure(result, result.day, planes))
        drawn["day_rows"] = day_rows(result.day.quality)
    if any(s.reconstructed is not None for s in result.structures):
        drawn["dvh"] = style.as_svg(dvh_figure(result))
    outcome = gamma_of_verdict(result)
    if outcome is not None:
        drawn["gamma"] = style.as_image(gamma_figure(result, planes, outcome))
        drawn["histogram"] = style.as_svg(histogram_figure(outcome))
    return drawn


def gamma_of_verdict(result: VerificationResult) -> GammaOutcome | None:
    """Return the 3D comparison to show: the one with a limit, else the first with a map; None without any."""
    with_map = [outcome for outcome in result.gamma_3d if outcome.gamma is not None and result.planned is not None]
    return min(with_map, key=lambda outcome: outcome.limit_percent is None, default=None)
