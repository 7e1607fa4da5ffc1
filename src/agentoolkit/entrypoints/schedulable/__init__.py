"""The parts of `scheduled_tool`, which makes a tool of an MCP server or an agent schedulable."""
