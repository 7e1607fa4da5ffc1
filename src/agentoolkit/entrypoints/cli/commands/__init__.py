"""The commands, by what they are about. Each turns its arguments into a call of the scheduler and prints the answer."""
