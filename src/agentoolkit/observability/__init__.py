"""AgenTools and listeners that report the state of the toolkit."""
