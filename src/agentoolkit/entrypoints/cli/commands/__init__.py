"""One file for each command. Each turns its arguments into a call of the scheduler and prints the answer."""
