"""The scheduler as an MCP server: twelve tools, and jobs and executions as resources, over standard input and output or HTTP."""
