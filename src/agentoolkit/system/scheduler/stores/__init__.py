"""Where jobs, executions and messages live."""
