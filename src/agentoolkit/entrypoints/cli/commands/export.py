"""``agentool export``."""
def export() -> None:
    """Stub."""
