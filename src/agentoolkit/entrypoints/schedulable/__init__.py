"""What makes a tool of an MCP server or an agent schedulable; see `scheduled_tool`."""
