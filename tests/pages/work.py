"""What the jobs of these tests do."""

import logging
import time


def fail() -> None:
    raise ValueError("the other side answered 503, password=hunter2-hunter2")


def log_and_wait() -> None:
    """Log how far it is, and go on until nobody waits any more."""
    logging.getLogger("work").warning("one third is done")
    time.sleep(0.5)
