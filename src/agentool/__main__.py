"""``python -m agentool``: run the installed command ``agentool``."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from agentool.errors import ConfigurationError


def main() -> None:
    """Run the command ``agentool``. The framework knows it by name only."""
    command = next(iter(entry_points(group="console_scripts", name="agentool")), None)
    if command is None:
        raise ConfigurationError("The command 'agentool' is not installed.", remedy="Install the package 'agentool'.")
    sys.argv[0] = "agentool"
    command.load()()


if __name__ == "__main__":
    main()
