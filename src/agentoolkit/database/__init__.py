"""The database of jobs, queues and values: SQLite or PostgreSQL, one writer thread, group commit, migrations."""
