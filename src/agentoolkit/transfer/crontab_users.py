"""Tell whether a crontab has a column for users, as /etc/crontab has."""

from __future__ import annotations

import getpass
import re
import shutil
from collections.abc import Iterable

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?")
_USERS = frozenset({"root", "www-data", "nobody", "daemon", "apache", "nginx", "ubuntu", "debian", "ec2-user", "vagrant", "munin"})
"""Common user names that are not names of programs."""
_ALSO_PROGRAMS = frozenset(["git", "mail", "man", "mysql", "news", "postgres", "redis", "sync", "uucp"])


def has_user_column(commands: Iterable[str]) -> bool:
    """Tell whether every command begins with a user's name, and at least one of these names cannot be a program."""
    splits = [command.split(maxsplit=1) for command in commands if command]
    if not all(len(words) == 2 and _NAME.fullmatch(words[0]) for words in splits):
        return False
    first = {words[0] for words in splits}
    programs = {word for word in first - _USERS - _ALSO_PROGRAMS if shutil.which(word)}
    known = {word for word in first if word in _USERS or (word not in _ALSO_PROGRAMS and _is_known(word))}
    return programs <= known and bool(known - programs)


def is_ones_own(user: str) -> bool:
    """Tell whether a user is the one who runs this program."""
    try:
        return getpass.getuser() == user
    except (KeyError, OSError):  # a container may have no name for its user
        return False


def _is_known(word: str) -> bool:
    try:
        import pwd

        pwd.getpwnam(word)
    except (ImportError, KeyError):
        return False
    return True
