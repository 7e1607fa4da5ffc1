"""The commands, grouped by subject. Each turns its arguments into a call of an AgenTool and prints the answer."""
