"""The doors: command line, task files, REST API, MCP server and pages. Each turns its requests into calls of ``injector.run``."""
