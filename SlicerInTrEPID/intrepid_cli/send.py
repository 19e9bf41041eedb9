"""``intrepid send``: DICOM files to a peer, taken up again where it was interrupted."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from intrepid_cli.console import CHECK_FAILED, DONE, json_option, report
from intrepid_cli.exchange import PATH, tls_files, tls_options

if TYPE_CHECKING:
    from intrepid_rt.network.commitment import Commitment
    from intrepid_rt.network.sending import Sent


@click.command("send")
@click.argument("paths", nargs=-1, type=PATH)
@click.option("--to", "address", help="Peer as AETITLE@host:port (C-STORE).")
@click.option("--web", "url", help="DICOMweb service, https://... (STOW-RS); user and password from ~/.netrc.")
@click.option("--as", "our_ae_title", default="INTREPID", show_default=True, help="Our AE title.")
@click.option("--echo", "only_echo", is_flag=True, help="Only ask whether the peer is there (C-ECHO).")
@click.option("--state", "state_file", type=PATH, help="File that remembers what was taken, to go on after a stop.")
@click.option(
    "--attempts", default=6, show_default=True, help="Failed connections in a row until the peer is given up."
)
@click.option("--commit", "wants_commitment", is_flag=True, help="Ask for storage commitment afterwards.")
@click.option("--listen-port", default=0, help="Port for a storage commitment that comes on its own connection.")
@tls_options
@json_option
def command(  # type: ignore[no-untyped-def]
    paths: tuple[Path, ...],
    address: str | None,
    url: str | None,
    our_ae_title: str,
    only_echo: bool,
    as_json: bool,
    **more,
) -> int:
    """Send the DICOM files in PATHS (files and folders) to a peer.

    Exit code 1: the peer refused an object or did not commit itself to keep it. Exit code 2: it cannot be reached;
    with --state the next run goes on where this one stopped.
    """
    from intrepid_rt.errors import InvalidSetting
    from intrepid_rt.network.peer import echo, parse_peer

    if (address is None) == (url is None):
        raise InvalidSetting("Expected one of --to AETITLE@host:port and --web URL. Give one.")
    if more["attempts"] < 1:
        raise InvalidSetting(f"--attempts {more['attempts']}: expected at least 1.")
    if url is not None:
        return _by_web(paths, url, as_json=as_json, **more)
    tls = tls_files(more["tls_ca"], more["tls_cert"], more["tls_key"])
    peer = parse_peer(str(address), our_ae_title=our_ae_title, tls=tls)
    if only_echo:
        echo(peer)
        report({"peer": str(peer), "answered": True}, f"{peer} answers.", as_json=as_json)
        return DONE
    from intrepid_rt.network.commitment import commit
    from intrepid_rt.network.outbox import Receipts, parcels
    from intrepid_rt.network.sending import send

    found, left = parcels(paths)
    with _bar(len(found)) as bar:
        sent = send(peer, found, Receipts(str(peer), more["state_file"]), attempts=more["attempts"], progress=bar.show)
    commitment = commit(peer, found, listen_port=more["listen_port"]) if more["wants_commitment"] else None
    return _told(str(peer), sent, left, commitment, as_json=as_json)


def _by_web(
    paths: tuple[Path, ...], url: str, *, state_file: Path | None, attempts: int, as_json: bool, **_: Any
) -> int:
    from intrepid_rt.network.outbox import Receipts, parcels
    from intrepid_rt.network.web import WebPeer, send_by_web

    peer = WebPeer(url)
    found, left = parcels(paths)
    with _bar(len(found)) as bar:
        sent = send_by_web(peer, found, Receipts(url, state_file), attempts=attempts, progress=bar.show)
    return _told(url, sent, left, None, as_json=as_json)


class _bar:  # noqa: N801 - used like a function
    """Progress on standard error."""

    def __init__(self, total: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit=" objects", dynamic_ncols=True)

    def __enter__(self) -> "_bar":
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.close()

    def show(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def _told(
    peer: str, sent: "Sent", left: list[tuple[Path, str]], commitment: "Commitment | None", *, as_json: bool
) -> int:
    result = {
        "peer": peer,
        "taken": sent.taken,
        "taken_earlier": sent.taken_earlier,
        "refused": [{"uid": uid, "reason": reason} for uid, reason in sent.refused],
        "left_out": [{"file": path.name, "reason": reason} for path, reason in left],
        "reconnections": sent.reconnections,
        "not_kept": None if commitment is None else commitment.not_kept,
    }
    lines = [f"{peer} took {len(sent.taken)} object(s); {len(sent.taken_earlier)} had been taken earlier."]
    if sent.reconnections:
        lines.append(f"The connection was opened anew {sent.reconnections} time(s).")
    lines += [f"Refused: {uid}: {reason}" for uid, reason in sent.refused[:10]]
    lines += [f"Left out: {path.name}: {reason}" for path, reason in left[:10]]
    if commitment is not None:
        lines.append(f"It committed itself to keep {len(commitment.kept)}; not {len(commitment.not_kept)}.")
    report(result, "\n".join(lines), as_json=as_json)
    return CHECK_FAILED if sent.refused or (commitment is not None and commitment.not_kept) else DONE
