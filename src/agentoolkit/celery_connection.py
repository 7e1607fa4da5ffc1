"""Applications of Celery on the broker of the settings."""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError

from agentool.errors import AgenToolError
from agentoolkit.redaction import redacted_text
from agentoolkit.setting_groups import CelerySettings

CONNECT_SECONDS = 5
"""Time in which a broker must answer to count as reachable."""


class BrokerAway(AgenToolError, ConnectionError):
    """The broker cannot be reached."""


def connected_app(settings: CelerySettings) -> Celery:
    """Return an application on the broker and the result back end of these settings.

    Celery prefers the variables ``CELERY_BROKER_URL`` and ``CELERY_RESULT_BACKEND`` to what code gives it. The settings have read
    them already, where nothing of ours said otherwise, so here the settings decide.
    """
    broker = settings.broker.get_secret_value() if settings.broker else None
    backend = settings.result_backend.get_secret_value() if settings.result_backend else None
    app = Celery("agentool", broker=broker, backend=backend)
    if broker is not None:
        app.conf.update(broker_read_url=broker, broker_write_url=broker)
    if backend is not None:
        app.backend_cls = backend
    return app


def check_broker(app: Celery) -> None:
    """Connect to the broker once. Raises `BrokerAway`."""
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECT_SECONDS)
    except OperationalError as error:
        where, why = redacted_text(str(app.conf.broker_write_url)), str(error).rstrip(".")
        remedy = "Start it, and a worker by `agentool worker`, or correct CELERY_BROKER_URL."
        raise BrokerAway(f"The broker {where} cannot be reached: {why}.", remedy=remedy) from error
