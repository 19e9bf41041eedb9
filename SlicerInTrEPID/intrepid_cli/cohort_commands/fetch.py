"""``intrepid cohort fetch``: patients from a DICOM node or a DICOMweb service, as files that an import takes."""

from pathlib import Path
from typing import Any

import click

from intrepid_cli.cohort_commands.shared import PATH, Progress, library
from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report
from intrepid_cli.exchange import tls_files, tls_options


@click.command("fetch")
@click.argument("folder", metavar="OUT", type=PATH)
@click.option("--from", "address", metavar="PEER", help="Node as AETITLE@host:port (C-FIND, then C-GET).")
@click.option("--web", "url", metavar="URL", help="DICOMweb service, https://...; user and password from ~/.netrc.")
@click.option("--find", "keys", multiple=True, metavar="KEY=VALUE",
              help="What is wanted: PatientID, StudyDate, StudyInstanceUID, AccessionNumber; * and date ranges as in "
                   "DICOM; repeatable.")  # fmt: skip
@click.option("--move-port", type=click.IntRange(1, 65535), metavar="PORT",
              help="Have the node send to this port (C-MOVE); it must know our title and address.")  # fmt: skip
@click.option("--as", "our_ae_title", default="INTREPID", show_default=True, help="Our AE title.")
@tls_options
@json_option
def command(folder: Path, address: str | None, url: str | None, keys: tuple[str, ...], as_json: bool,
            **more: Any) -> int:  # fmt: skip
    """Fetch what an import uses of the studies that match into OUT; run it again after an interruption.

    That is CT, RTSTRUCT, RTPLAN, RTDOSE, RTRECORD. Then: intrepid cohort import OUT. Exits with 1 if a series did not
    come whole.
    """
    library()
    from intrepid_cohort.dicom_node import fetch, fetch_by_web, query_keys
    from intrepid_rt.errors import InvalidSetting
    from intrepid_rt.network.peer import parse_peer

    if (address is None) == (url is None):
        raise InvalidSetting("Expected one of --from AETITLE@host:port and --web URL. Give one.")
    wanted = query_keys(keys)
    with Progress() as bar:
        if url is not None:
            from intrepid_rt.network.web import WebPeer

            result = fetch_by_web(WebPeer(url), wanted, folder, progress=bar.show)
        else:
            tls = tls_files(more["tls_ca"], more["tls_cert"], more["tls_key"])
            peer = parse_peer(str(address), our_ae_title=more["our_ae_title"], tls=tls)
            result = fetch(peer, wanted, folder, move_port=more["move_port"], progress=bar.show)
    shown = {"studies": result.studies, "series": result.series, "files": result.files, "known": result.known,
             "missing": result.missing, "folder": str(folder)}  # fmt: skip
    lines = [f"NOT WHOLE: {line}" for line in result.missing]
    lines.append(
        f"{result.studies} studies, {result.series} series: {result.files} files fetched, {result.known} were there."
    )
    report(shown, "\n".join(lines), as_json=as_json)
    return CHECK_FAILED if result.missing else DONE
