"""``agentool tools``."""
def tools() -> None:
    """Stub."""
