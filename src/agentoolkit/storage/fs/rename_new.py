"""Giving a thing a name that must be free: checked and done by the system in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache

_CALLS = {"linux": ("renameat2", 1), "darwin": ("renameatx_np", 4)}
"""By platform: the function of the C library, and its flag for "only if nothing is there"."""
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def rename_new(folder: int, name: str, other: int, new_name: str) -> None:
    """Move a thing between two open folders on one disk.

    Raises:
        FileExistsError: Something is there. Nothing was changed.
    """
    if (call := _system_call()) is not None:
        number = call(folder, os.fsencode(name), other, os.fsencode(new_name))
        if number == 0:
            return
        if number not in _UNSUPPORTED:
            raise OSError(number, os.strerror(number), new_name)
    _claim_and_rename(folder, name, other, new_name)


@cache
def _system_call() -> Callable[[int, bytes, int, bytes], int] | None:
    """Return a function that renames and returns the number of its error, 0 for none."""
    name, flag = _CALLS.get(sys.platform, ("", 0))
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if function is None:
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]

    def call(folder: int, old: bytes, other: int, new: bytes) -> int:
        return 0 if function(folder, old, other, new, flag) == 0 else ctypes.get_errno()

    return call


def _claim_and_rename(folder: int, name: str, other: int, new_name: str) -> None:
    """Take the free name by an empty thing of the same kind, which the rename then replaces. Some file systems need it."""
    is_folder = stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    if is_folder:
        os.mkdir(new_name, dir_fd=other)
    else:
        os.close(os.open(new_name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=other))
    try:
        os.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=other)
    except BaseException:
        with suppress(OSError):
            if is_folder:
                os.rmdir(new_name, dir_fd=other)
            else:
                os.unlink(new_name, dir_fd=other)
        raise
