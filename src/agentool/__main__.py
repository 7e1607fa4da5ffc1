"""``python -m agentool``: the command that is installed under this name."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from agentool.errors import ConfigurationError


def main() -> None:
    """Run the command ``agentool``. The framework knows it by name only."""
    found = next(iter(entry_points(group="console_scripts", name="agentool")), None)
    if found is None:
        raise ConfigurationError("The command 'agentool' is not installed.", remedy="Install the package 'agentool'.")
    sys.argv[0] = "agentool"
    found.load()()


if __name__ == "__main__":
    main()
