"""An application whose tasks are in tasks.yaml."""
