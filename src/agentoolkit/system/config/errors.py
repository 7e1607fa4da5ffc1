"""The errors of the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from agentool.errors import AgenToolError, ConfigurationError, did_you_mean, excerpt


class ConfigKeyNotFound(AgenToolError, KeyError):
    """No layer has a value for this key."""

    @classmethod
    def among(cls, key: str, known: Iterable[str]) -> ConfigKeyNotFound:
        """Name the nearest keys, or the keys of the section if the key is a section."""
        keys = list(known)
        inside = [name for name in keys if name.startswith(f"{key}.")]
        near = f"It is a section, with {', '.join(inside[:20])}." if inside else did_you_mean(key, keys)
        remedy = f"{near} Give a default, or set it."
        return cls(f"No layer has a value for {excerpt(key)}.", field="key", value=key, remedy=remedy.strip())


class InvalidConfigFile(ConfigurationError, ValueError):
    """A configuration file is missing, or does not fit its suffix."""
