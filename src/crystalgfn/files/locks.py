"""One process at a time in a folder: a lock file that says who is at work.

The lock is the system's (``flock``) on a file of the folder. It ends with its process, whatever ends that: a process
that was killed leaves a file which holds nobody back, and no number of a process that may be another one by now has to
be trusted. The file says what the lock cannot: host, process, time and command, for the message to a second process,
and for folders that several hosts share, between which such locks do not hold everywhere.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path

from crystalgfn.errors import DataError
from crystalgfn.files.reading import parse_json

LOCK = ".lock"
"""Name of the lock file of a folder."""

_MOST_BYTES = 4_096
_HELD = (errno.EWOULDBLOCK, errno.EACCES)


@dataclass(frozen=True)
class Owner:
    """Who works in a folder.

    Attributes:
        pid: number of the process.
        host: name of its machine.
        since: date and time at which it began, with the time zone.
        command: what it was started as, up to the first option: options may be secret.
    """

    pid: int
    host: str
    since: str
    command: str

    @classmethod
    def this_process(cls) -> Owner:
        """Return the owner that this process is, now."""
        program, *rest = sys.argv or [""]
        path = Path(program)
        name = path.parent.name if path.name == "__main__.py" else path.name
        options = next((i for i, word in enumerate(rest) if word.startswith("-")), len(rest))
        command = shlex.join([name, *rest[:options]])
        return cls(os.getpid(), socket.gethostname(), datetime.now().astimezone().isoformat(" ", "seconds"), command)

    def __str__(self) -> str:
        """Words for people."""
        return f"process {self.pid} on {self.host} since {self.since} ({self.command})"


class Lock:
    """The lock of an existing folder, held from the moment that it is made until :meth:`release`.

    Args:
        folder: the folder.
        name: name of the lock file.

    Raises:
        DataError: another process holds the folder, another host may, or the file cannot be written or is another one.
    """

    def __init__(self, folder: Path, name: str = LOCK) -> None:
        self._path = folder / name
        try:
            self._stream = self._opened(folder)
            try:
                self._check_owner(folder)
            except BaseException:
                self._stream.close()
                raise
            try:
                self._write(Owner.this_process())
            except BaseException:
                self.release()
                raise
        except OSError as error:
            raise DataError(f"cannot write {self._path}: {error.strerror or error}") from error

    def release(self) -> None:
        """Remove the file and let others in; does nothing the second time."""
        if not self.released:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._stream.close()

    @property
    def released(self) -> bool:
        """Whether the lock is no longer held."""
        return self._stream.closed

    def _opened(self, folder: Path) -> FileIO:
        """The lock file, locked: the one that has the name now, for the owner before may have removed another."""
        while True:
            stream = _open(self._path)
            try:
                if not _flock(stream):
                    owner = _owner(stream, self._path)
                    raise DataError(f"{folder}: in use by {owner or 'another process'}")
                if _is_at(self._path, stream):
                    return stream
            except BaseException:
                stream.close()
                raise
            stream.close()

    def _check_owner(self, folder: Path) -> None:
        """Refuse a folder whose owner on another host may be at work, and a file that is no lock."""
        if not os.fstat(self._stream.fileno()).st_size:
            return
        owner = _owner(self._stream, self._path)
        if owner is None:
            raise DataError(f"{self._path}: no lock of crystalgfn, allowed: a folder without this file")
        if owner.host != socket.gethostname():
            raise DataError(f"{folder}: in use by {owner}; if that has ended, delete {self._path}")

    def _write(self, owner: Owner) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(json.dumps(asdict(owner)).encode())


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Hold a folder while the block runs. A folder that is made for this and stays empty is removed again.

    Raises:
        DataError: see :class:`Lock`; or the folder cannot be made.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = "a file" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror or str(error)
        raise DataError(f"{folder}: {found}, allowed: a folder to write into") from None
    try:
        lock = Lock(folder)
        try:
            yield
        finally:
            lock.release()
    finally:
        for place in made:
            with contextlib.suppress(OSError):  # holds a result
                place.rmdir()


def _open(path: Path) -> FileIO:
    # neither followed nor cut to nothing: what stands there may be another file
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        stream = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
    except OSError as error:
        if error.errno == errno.ELOOP or path.is_symlink():
            raise DataError(f"{path}: a link, allowed: a file; nothing is written through links") from None
        raise
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        stream.close()
        raise DataError(f"{path}: no regular file of its own, allowed: a folder without this file")
    return stream


def _flock(stream: FileIO) -> bool:
    """Lock a file without waiting; whether nobody else holds it. Where a system has no locks, nobody does."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HELD
    return True


def _owner(stream: FileIO, path: Path) -> Owner | None:
    """The owner that a lock file names; None where it names none."""
    stream.seek(0)
    try:
        return parse_json(stream.read(_MOST_BYTES), Owner, str(path))
    except DataError:
        return None


def _is_at(path: Path, stream: FileIO) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(stream.fileno()))
