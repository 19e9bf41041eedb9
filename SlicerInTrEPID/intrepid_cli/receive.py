"""``intrepid receive``: take in objects from listed peers until stopped."""

import signal
import threading
from pathlib import Path

import click

from intrepid_cli.console import DONE, json_option, report
from intrepid_cli.exchange import PATH, tls_files, tls_options


@click.command("receive")
@click.argument("folder", metavar="OUT", type=PATH)
@click.option(
    "--peer", "peers", multiple=True, required=True, help="AETITLE or AETITLE@host that may send; repeatable."
)
@click.option("--port", default=11112, show_default=True, help="Port to listen on.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is every network.")
@click.option("--as", "ae_title", default="INTREPID", show_default=True, help="Our AE title, which callers must use.")
@click.option(
    "--largest-mb", default=512.0, show_default=True, help="Size of an object beyond which a caller is cut off."
)
@click.option("--per-minute", default=6000, show_default=True, help="Objects of one peer per minute.")
@click.option("--free-mb", default=1000.0, show_default=True, help="Disk space that stays free.")
@click.option("--seconds", type=float, help="Stop after this time; default: on Ctrl-C or SIGTERM.")
@tls_options
@json_option
def command(folder: Path, peers: tuple[str, ...], seconds: float | None, as_json: bool, **more) -> int:  # type: ignore[no-untyped-def]
    """Receive DICOM objects into OUT/<study>/<instance>.dcm, each written whole, from listed peers only."""
    from intrepid_rt.errors import InvalidSetting
    from intrepid_rt.network.receiving import Receiver, ReceiverSettings

    if not 0 < more["port"] < 65536 or more["largest_mb"] <= 0 or more["per_minute"] < 1:
        raise InvalidSetting("Expected a port from 1 to 65535, --largest-mb above 0 and --per-minute of at least 1.")
    tls = tls_files(more.pop("tls_ca"), more.pop("tls_cert"), more.pop("tls_key"))
    listed = tuple((title, host) for title, _, host in (peer.partition("@") for peer in peers))
    settings = ReceiverSettings(folder, listed, tls=tls, **more)
    receiver = Receiver(settings, lambda line: click.echo(line, err=True))
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    receiver.start()
    try:
        click.echo(f"{settings.ae_title} listens on {settings.bind}:{settings.port}; stop with Ctrl-C.", err=True)
        stop.wait(seconds)
    finally:
        receiver.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    text = f"{receiver.received} object(s) received into {folder}."
    report({"received": receiver.received, "folder": str(folder)}, text, as_json=as_json)
    return DONE
