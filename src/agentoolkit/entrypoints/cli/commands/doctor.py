"""``agentool doctor``."""
def doctor() -> None:
    """Stub."""
