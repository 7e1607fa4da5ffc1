"""The grammar of schedules in words."""
