"""Configuration in layers: run time, environment, files, default."""

from agentoolkit.system.config.agentool import ConfigInput, create_config_agent
from agentoolkit.system.config.errors import ConfigKeyNotFound, InvalidConfigFile
from agentoolkit.system.config.layers import Layers

__all__ = ["ConfigInput", "ConfigKeyNotFound", "InvalidConfigFile", "Layers", "create_config_agent"]
