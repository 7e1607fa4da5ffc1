"""Reports."""


def generate_report_task() -> dict:
    """Scheduled task function."""
    return {"status": "success", "pages": 3}
