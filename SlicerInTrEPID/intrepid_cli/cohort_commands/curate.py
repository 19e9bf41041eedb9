"""``intrepid cohort curate``: one treatment per patient by rules; a dry run unless --apply says otherwise."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.cohort_commands.shared import PATH, Progress, library
from intrepid_cli.console import DONE, json_option, report


@click.command("curate")
@click.argument("rules_file", required=False, type=PATH, metavar="[RULES]")
@click.option("--database", metavar="URL", help="SQLite file, or postgresql://user@host/name.")
@click.option("--apply", "apply_", is_flag=True, help="Store treatments, sums and DVHs; without it nothing is written.")
@click.option("--by", "edited_by", metavar="NAME", help="Who curates, for the log; default: the account.")
@click.option("--delivered", type=PATH, metavar="CSV", help="Take over delivered fractions (patient, plan, fractions).")
@click.option("--centre", "centres", multiple=True, metavar="NAME",
              help="Only this centre; repeatable. With --delivered: where its patients come from.")  # fmt: skip
@click.option("--set", "by_hand", nargs=4, metavar="PATIENT PLAN ROLE REASON",
              help="Set a plan as main, boost, left out or none; with PLAN 'status' exclude the patient.")  # fmt: skip
@click.option("--flow", type=PATH, metavar="FILE", help="Draw the flow of patients to an .svg, .png or .pdf file.")
@click.option("--out", type=PATH, metavar="JSON", help="Write all decisions.")
@click.option("--undo", "undone", type=int, metavar="RUN", help="Take back what a run did.")
@click.option("--runs", is_flag=True, help="List the runs.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of the rules.")
@json_option
def command(rules_file: Path | None, as_json: bool, **options: Any) -> int:
    """Make one treatment per patient by the rules in RULES (.json or .toml): first a dry run, then with --apply.

    Every decision is logged with its reason, and a run can be taken back.
    """
    from intrepid_cohort.curation.rules import read_rules, rules_schema
    from intrepid_rt.errors import InvalidSetting

    if options["schema"]:
        import json

        schema = rules_schema()
        report(schema, json.dumps(schema, indent=1), as_json=as_json)
        return DONE
    if options["database"] is None:
        raise InvalidSetting("Give --database URL.")
    engine = library().open_database(options["database"])
    from intrepid_cohort.edits.log import user_name

    by = options["edited_by"] or user_name()
    if options["runs"] or options["undone"] is not None:
        return _runs(engine, options["undone"], by, as_json)
    if rules_file is None:
        raise InvalidSetting("Give a file with rules. The schema is printed by: intrepid cohort curate --schema")
    rules = read_rules(rules_file)
    if options["delivered"] is not None:
        from intrepid_cohort.curation.delivered import import_delivered

        import_delivered(engine, options["delivered"], centre=next(iter(options["centres"]), ""))
    if options["by_hand"] is not None:
        from intrepid_cohort.curation.curate import set_by_hand

        patient, subject, value, reason = options["by_hand"]
        role = None if value == "none" else value
        set_by_hand(engine, rules.name, patient, subject, role, reason=reason, edited_by=by)
    return _curate(engine, rules, by, options, as_json)


def _curate(engine: Any, rules: Any, by: str, options: dict[str, Any], as_json: bool) -> int:
    import json

    from intrepid_cohort.curation.curate import curate
    from intrepid_cohort.curation.flow import draw_flow
    from intrepid_rt.atomic import write_text

    with Progress() as progress:
        result = curate(engine, rules, apply=options["apply_"], edited_by=by, centres=options["centres"],
                        progress=progress.show)  # fmt: skip
    treatments = [treatment.as_dict() for treatment in result.treatments]
    if options["flow"] is not None:
        draw_flow(result.flow, options["flow"], title=rules.description or rules.name)
    if options["out"] is not None:
        write_text(options["out"], json.dumps({"rules": rules.as_dict(), "treatments": treatments}, indent=1))
    shown = {"collection": rules.name, "applied": result.applied, "run": result.job_id, "changed": len(result.changed),
             "flow": [{"step": step, "patients": count} for step, count in result.flow],
             "treatments": treatments}  # fmt: skip
    report(shown, _text(shown), as_json=as_json)
    return DONE


def _text(shown: dict[str, Any]) -> str:
    lines = [f"{line['patients']:>6}  {line['step']}" for line in shown["flow"]]
    held = [t for t in shown["treatments"] if t["status"] == "review"]
    lines += [f"REVIEW {t['pseudonym']}: {t['exclusion_reason']}" for t in held]
    lines.append(
        f"Run {shown['run']}: {shown['changed']} treatments changed; take it back with --undo {shown['run']}."
        if shown["applied"]
        else f"Dry run: {shown['changed']} treatments would change. Nothing was written; repeat with --apply."
    )
    return "\n".join(lines)


def _runs(engine: Any, undone: int | None, by: str, as_json: bool) -> int:
    from intrepid_cohort.curation.curate import runs, undo

    if undone is not None:
        changed = undo(engine, undone, edited_by=by)
        text = f"{changed} treatments are as before run {undone}."
        report({"undone": undone, "changed": changed}, text, as_json=as_json)
        return DONE
    found = runs(engine)
    lines = [f"{run['run']:>5}  {run['started_at']}  {run['collection']}  {run['by']}  {run['changed']} changed, "
             f"{run['active']} still hold" for run in found]  # fmt: skip
    report({"runs": found}, "\n".join(lines) or "There is no run.", as_json=as_json)
    return DONE
