"""A PostgreSQL server of our own on a private socket, run as an unprivileged user, which it insists on."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


def programs() -> Path | None:
    """Folder of the server's programs, None if it is not installed."""
    found = shutil.which("initdb") or next(Path("/usr/lib/postgresql").glob("*/bin/initdb"), None)
    return Path(found).resolve().parent if found else None


class PostgresServer:
    """A fresh server in a temporary folder; can be crashed and started again."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.user = {"user": "postgres"} if os.getuid() == 0 else {}
        self.place = Path(tempfile.mkdtemp(prefix="intrepid-pg-", dir="/tmp"))
        if self.user:
            shutil.chown(self.place, "postgres")
        self.url = f"postgresql://tester@/postgres?host={self.place}"

    def __enter__(self) -> "PostgresServer":
        subprocess.run([self.where / "initdb", "-D", self.place / "data", "-A", "trust", "-U", "tester", "-E", "UTF8",
                        "--no-sync"], check=True, capture_output=True, cwd="/", **self.user)  # fmt: skip
        self.start()
        return self

    def start(self) -> None:
        # Nobody pulls the plug of a test: what the kernel holds outlives a crash of the server, and a shutdown that
        # waits for a busy disk took 46 s.
        command = [self.where / "postgres", "-D", self.place / "data", "-k", self.place, "-c", "listen_addresses=",
                   "-c", "fsync=off"]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **self.user
        )
        for _ in range(600):
            if (self.place / ".s.PGSQL.5432").exists() and self._answers():
                return
            time.sleep(0.1)
        raise AssertionError("the server did not start")

    def crash(self) -> None:
        """End it at once, connections and all, without a checkpoint; what was committed stays."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=60)

    def _answers(self) -> bool:
        return subprocess.run([self.where / "pg_isready", "-h", self.place, "-q"], check=False).returncode == 0

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # a fast shutdown; SIGTERM would wait for clients
            self.process.wait(timeout=60)
        shutil.rmtree(self.place, ignore_errors=True)
