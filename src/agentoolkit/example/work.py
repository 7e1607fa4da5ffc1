"""The functions that the example schedules."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path

_WORD = re.compile(r"[^\W\d_]{3,}")
_MAX_FILE_SIZE = 1_000_000
_MAX_FILES = 500


def sample_machine(path: str = "/") -> dict[str, float]:
    """Read the machine's load and how full a disk is.

    Returns:
        ``load`` (processes, mean of the last minute), ``disk_free_gb`` and ``disk_used_percent``.
    """
    disk = shutil.disk_usage(path)
    return {
        "load": round(os.getloadavg()[0], 2),
        "disk_free_gb": round(disk.free / 1e9, 1),
        "disk_used_percent": round(100 * disk.used / disk.total, 1),
    }


def check_file(path: str = ".") -> dict[str, object]:
    """Look whether a file or folder is there.

    Raises:
        FileNotFoundError: It is not, which is what a watcher of it wants to know.
    """
    found = Path(path).resolve(strict=True)
    return {"path": found.name or str(found), "kind": "folder" if found.is_dir() else "file", "bytes": found.stat().st_size}


def count_words(folder: str = ".", pattern: str = "*.md") -> dict[str, object]:
    """Count the words in a folder's text files.

    Returns:
        How many ``files`` and ``words`` there are, and the five ``commonest``.
    """
    words: Counter[str] = Counter()
    found = sorted(Path(folder).glob(f"**/{pattern}"))
    files = [path for path in found if not any(part.startswith(".") for part in path.parts)][:_MAX_FILES]
    for path in files:
        with path.open(encoding="utf-8", errors="replace") as text:
            words.update(_WORD.findall(text.read(_MAX_FILE_SIZE).casefold()))
    return {"files": len(files), "words": words.total(), "commonest": [word for word, _ in words.most_common(5)]}
