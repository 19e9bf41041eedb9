"""``intrepid cohort names``: structure names to TG-263, reviewed by people, remembered per centre."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.console import DONE, json_option, report

_FILE = click.Path(path_type=Path)


@click.command("names")
@click.option("--database", metavar="URL", help="SQLite file, or postgresql://user@host/name.")
@click.option("--decided", type=_FILE, metavar="CSV", help="Take over the column 'decision' of a review file first.")
@click.option("--review", type=_FILE, metavar="CSV", help="Write the names for review, least sure first.")
@click.option("--unsure", is_flag=True, help="Write only names that nobody is sure of.")
@click.option("--by", "edited_by", metavar="NAME", help="Who decided, for the log; default: the account.")
@click.option(
    "--list", "names_file", type=_FILE, metavar="FILE", help="Read names from a text file, one a line, instead."
)
@click.option("--language", default="", metavar="CODE", help="With --list: language of the names (en de da it nl fr).")
@json_option
def command(
    database: str | None,
    decided: Path | None,
    review: Path | None,
    unsure: bool,
    edited_by: str | None,
    names_file: Path | None,
    language: str,
    as_json: bool,
) -> int:
    """Read the names of all structures as names after TG-263, with a confidence; what is not sure waits for a person.

    Fill in the column 'decision' of the review file (a name, ok, or - for none) and give it back with --decided.
    """
    from intrepid_rt.errors import InvalidSetting

    if (names_file is None) == (database is None):
        raise InvalidSetting("Give --database URL, or --list FILE with names.")
    if names_file is not None:
        return _names_of_list(names_file, review, language, as_json)
    shown = _names_of_database(str(database), decided, review, unsure, edited_by)
    report(shown, _text(shown), as_json=as_json)
    return DONE


def _names_of_database(
    database: str, decided: Path | None, review: Path | None, unsure: bool, edited_by: str | None
) -> dict[str, Any]:
    from intrepid_cli.cohort_commands.shared import library

    engine = library().open_database(database)
    from intrepid_cohort.edits.log import user_name
    from intrepid_cohort.names.mapping import confirm_names, map_names
    from intrepid_cohort.names.review import read_review, write_review

    shown: dict[str, Any] = {}
    counts = map_names(engine)
    if decided is not None:
        shown["decided"] = confirm_names(engine, list(read_review(decided)), edited_by=edited_by or user_name())
        counts = map_names(engine)  # names that are written like the decided ones follow
    shown["names"] = dict(counts)
    if review is not None:
        shown["review"] = {"file": str(review), "rows": write_review(engine, review, only_unsure=unsure)}
    return shown


def _names_of_list(names_file: Path, review: Path | None, language: str, as_json: bool) -> int:
    from intrepid_cohort.names.proposal import propose
    from intrepid_cohort.names.review import write_proposals
    from intrepid_rt.errors import InvalidSetting
    from intrepid_rt.small_files import read_small_text

    if language not in ("", "en", "de", "da", "it", "nl", "fr"):
        raise InvalidSetting(f"--language is {language!r}; expected one of en, de, da, it, nl, fr.")
    names = [line.strip() for line in read_small_text(names_file).splitlines() if line.strip()]
    if review is not None:
        write_proposals(names, review, language=language)
    found = [propose(name, language=language) for name in names]
    rows = [{"roi_name": p.roi_name, "standard_name": p.standard_name, "category": p.category,
             "confidence": round(p.confidence, 4), "status": "confident" if p.is_confident else "unsure",
             "target_dose_gy": p.target_dose_gy, "reason": p.reason,
             "candidates": [{"standard_name": name, "confidence": sure} for name, sure in p.candidates]}
            for p in found]  # fmt: skip
    lines = [f"{r['roi_name']:<28} {r['standard_name'] or '-':<24} {r['category']:<9} {r['status']:<9} "
             f"{r['confidence']:.2f}" for r in rows]  # fmt: skip
    report({"names": rows}, "\n".join(lines), as_json=as_json)
    return DONE


def _text(shown: dict[str, Any]) -> str:
    lines = [f"{status:<10} {count}" for status, count in sorted(shown["names"].items())]
    if "decided" in shown:
        lines.append(f"{shown['decided']} decisions taken over.")
    if "review" in shown:
        lines.append(f"{shown['review']['rows']} names for review in {shown['review']['file']}.")
    return "\n".join(lines)
