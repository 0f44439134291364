"""A FUSE file system that shows a directory, and cannot do what it is told not to.

    python limited.py DIRECTORY MOUNTPOINT LIMIT...

Limits with an errno refuse with it: link=EIO, rename=ENOSYS, rename-open=EBUSY (a file that is open to be
written),
rename-over=EEXIST (onto another file), fsync=EINVAL, exclusive=EINVAL (O_EXCL), chmod=EPERM,
utimens=EPERM. Others: names=143 (bytes, at most), any-case (names are the same in any case),
appends-only (no other writing, and none to what is there), uploads (a file has its bytes once it is
synced or closed), by-path (reads go to what has the name by then, as an object store has it),
path-inodes (a file's number is that of its path, and changes as it is renamed), one-link (counts no
links), no-changed-time (time of change is 0).
"""

from __future__ import annotations

import errno
import os
import sys
import zlib

import mfusepy


class Limited(mfusepy.Operations):
    use_ns = True

    def __init__(self, root: str, limits: dict[str, str]) -> None:
        self._root = root
        self._limits = limits
        self._written: dict[int, str] = {}
        self._pending: dict[int, bytearray] = {}

    def _refuse(self, limit: str) -> None:
        if limit in self._limits:
            raise OSError(getattr(errno, self._limits[limit]), limit)

    def _at(self, path: str) -> str:
        if "any-case" in self._limits:
            path = path.lower()
        longest = int(self._limits.get("names", 255))
        if len(os.path.basename(path).encode()) > longest:
            raise OSError(errno.ENAMETOOLONG, path)
        return self._root + path

    def getattr(self, path: str | None, fh: int | None = None) -> dict[str, int]:
        # A file that is open has no path once it is removed.
        stat = os.fstat(fh) if path is None else os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")
        found = {name: getattr(stat, name) for name in names}
        for time in ("st_atime", "st_mtime", "st_ctime"):
            found[time] = getattr(stat, f"{time}_ns")
        if "path-inodes" in self._limits and path is not None:
            found["st_ino"] = (zlib.crc32(path.encode()) + 2) << 32
        if "one-link" in self._limits:
            found["st_nlink"] = 1
        if "no-changed-time" in self._limits:
            found["st_ctime"] = 0
        return found

    def statfs(self, path: str) -> dict[str, int]:
        stat = os.statvfs(self._at(path))
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail")
        return {name: getattr(stat, name) for name in names}

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        names = [".", "..", *os.listdir(self._at(path))]
        return [(name, self._entry(os.path.join(path, name)), 0) for name in names]

    def _entry(self, path: str) -> dict[str, int]:
        stat = os.lstat(self._at(path))
        return {"st_mode": stat.st_mode, "st_ino": stat.st_ino}

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._at(path))
        return 0

    def symlink(self, target: str, source: str) -> int:
        os.symlink(source, self._at(target))
        return 0

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def link(self, target: str, source: str) -> int:
        self._refuse("link")
        os.link(self._at(source), self._at(target))
        return 0

    def rename(self, old: str, new: str) -> int:
        self._refuse("rename")
        if self._at(old) in self._written.values():
            self._refuse("rename-open")
        if os.path.lexists(self._at(new)):
            self._refuse("rename-over")
        os.rename(self._at(old), self._at(new))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._refuse("chmod")
        os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._at(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        self._refuse("utimens")
        os.utime(self._at(path), ns=times)
        return 0

    def create(self, path: str, mode: int, flags: int = 0) -> int:
        if flags & os.O_EXCL:
            self._refuse("exclusive")
        fh = os.open(self._at(path), os.O_RDWR | os.O_CREAT, mode)
        self._written[fh] = self._at(path)
        return fh

    def open(self, path: str, flags: int) -> int:
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        if writes and "appends-only" in self._limits:
            raise OSError(errno.EPERM, path)
        fh = os.open(self._at(path), os.O_RDWR if writes else os.O_RDONLY)
        if writes:
            self._written[fh] = self._at(path)
        return fh

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path), length)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        if "by-path" not in self._limits:
            return os.pread(fh, size, offset)
        with open(self._at(path), "rb") as now:
            return os.pread(now.fileno(), size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        pending = self._pending.setdefault(fh, bytearray())
        if "appends-only" in self._limits and offset != os.fstat(fh).st_size + len(pending):
            raise OSError(errno.EINVAL, path)
        if "uploads" not in self._limits:
            return os.pwrite(fh, data, offset)
        pending[offset : offset + len(data)] = data
        return len(data)

    def flush(self, path: str, fh: int) -> int:
        pending = self._pending.get(fh)
        if pending:
            os.pwrite(fh, pending, 0)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._refuse("fsync")
        self.flush(path, fh)
        os.fsync(fh)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._refuse("fsync")
        return 0

    def release(self, path: str, fh: int) -> int:
        self._written.pop(fh, None)
        self._pending.pop(fh, None)
        os.close(fh)
        return 0


if __name__ == "__main__":
    directory, mountpoint, *limits = sys.argv[1:]
    os.umask(0)
    mfusepy.FUSE(
        Limited(directory, {name: value for name, _, value in (limit.partition("=") for limit in limits)}),
        mountpoint,
        foreground=True,
        use_ino=True,
        hard_remove=True,
        default_permissions=True,
        allow_other=True,
        attr_timeout=0,
        entry_timeout=0,
    )
