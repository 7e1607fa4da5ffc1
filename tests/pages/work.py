"""What the jobs of these tests do."""


def fail() -> None:
    raise ValueError("the other side answered 503, password=hunter2-hunter2")
