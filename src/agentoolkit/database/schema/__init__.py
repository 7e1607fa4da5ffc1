"""The steps that made the tables, by whose they are. `migrations.MIGRATIONS` has their order."""
