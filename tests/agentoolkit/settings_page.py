"""The page of settings, from the settings themselves."""

from __future__ import annotations

from typing import Any

from agentoolkit.settings import Setting, all_settings

HEAD = """\
# Settings

Every setting, as the program has it. Set one by its variable, by a line in the file `.env` of the working folder, or by code:

```python
from agentoolkit.settings import Settings, ShellSettings

settings = Settings(timezone="Europe/Berlin", shell=ShellSettings(programs=("git",), timeout=30))
assert Settings(timezone="Europe/Berlin", programs=("git",), shell_timeout=30) == settings
```

- The keyword of a setting is its variable in small letters, without `AGENTOOL_`: `AGENTOOL_SHELL_TIMEOUT` is `shell_timeout`.
- What code gives counts before a variable, a variable before a line of `.env`. An empty variable is not set.
- A list is written with commas, `AGENTOOL_PROGRAMS=git,ls`, or as JSON, `AGENTOOL_PROGRAMS='["git", "ls"]'`. An object is JSON.
- `~` and relative paths are read once, when the settings are.
- A secret is never shown: no error and no list quotes it.
- `AGENTOOL_HOME` names the folder in which the command line keeps what it is not told to keep elsewhere; `~/.agentool` by default.
- Variables that begin with `AGENTOOL_CONFIG__` are no settings: the AgenTool `config` reads them.
"""
_HEADINGS = {None: "The toolkit", "kv": "storage_kv", "files": "storage_fs"}


def page() -> str:
    """Return the page."""
    groups = list(dict.fromkeys(setting.group for setting in all_settings()))
    return "\n".join([HEAD, *(_section(group) for group in groups)])


def _section(group: str | None) -> str:
    rows = [_row(setting) for setting in all_settings() if setting.group == group]
    head = ["| variable | type | default | example | what it means |", "|---|---|---|---|---|"]
    return "\n".join([f"## {_HEADINGS.get(group, group)}", "", *head, *rows, ""])


def _row(setting: Setting) -> str:
    about = setting.about
    kind = f"{setting.kind}, secret" if setting.is_secret else setting.kind
    cells = (f"`{setting.variable}`", kind, _shown(about.default) or "–", f"`{example_of(setting)}`", about.description or "")
    return f"| {' | '.join(cells)} |".replace("`–`", "–")


def example_of(setting: Setting) -> str:
    """Return a value as a variable takes it; a dash where none is known."""
    return _shown((setting.about.examples or [setting.about.default])[0])


def _shown(default: Any) -> str:
    if default is None or default == () or default == {}:
        return "–"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))  # as a variable takes a list
    return f"{default:g}" if isinstance(default, float) else str(default)
