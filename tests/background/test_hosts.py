"""The toolkit in the background of programs that others wrote: a Flask application, and the kernel of a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from flask import Flask, jsonify
from tests.background.test_background import JOB, settings

from agentoolkit.entrypoints.background import background


def test_a_flask_application_schedules_from_its_requests() -> None:
    """Each request is a thread of its own without an event loop; what one schedules another lists."""
    app = Flask(__name__)
    with background(settings()) as kit:

        @app.post("/jobs/<name>")
        def schedule(name: str) -> object:
            return jsonify(kit.run("scheduler", {**JOB, "job_name": name}).data["created"])

        @app.get("/jobs")
        def jobs() -> object:
            return jsonify([job["job_name"] for job in kit.run("scheduler", {"operation": "list"}).data["jobs"]])

        requests = [threading.Thread(target=app.test_client().post, args=(f"/jobs/{number}",)) for number in range(8)]
        for request in requests:
            request.start()
        for request in requests:
            request.join()
        assert sorted(app.test_client().get("/jobs").json) == list("01234567")


NOTEBOOK = """
from jupyter_client.manager import start_new_kernel
import json, sys

manager, client = start_new_kernel(kernel_name="python3")
try:
    for cell in json.loads(sys.argv[1]):
        told = []
        reply = client.execute_interactive(cell, timeout=60, output_hook=lambda message: told.append(message["content"].get("text", "")))
        assert reply["content"]["status"] == "ok", reply["content"]
    print("".join(told))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=False)
"""


def test_cells_of_a_notebook_call_it() -> None:
    """A kernel runs an event loop of its own in each cell; the toolkit goes on between cells, and the kernel ends after it."""
    pytest.importorskip("ipykernel", reason="pip install ipykernel")
    cells = [
        "from tests.background.test_background import JOB, settings\nfrom agentoolkit.entrypoints.background import BackgroundToolkit\n"
        "kit = BackgroundToolkit(settings())",
        "kit.run('scheduler', {**JOB, 'job_name': 'hourly'})",
        "import asyncio\nasyncio.get_running_loop()\n"
        "found = await kit.call(lambda there: there.injector.run('scheduler', {'operation': 'list'}))",
        "kit.stop()\nprint([job['job_name'] for job in found.data['jobs']])",
    ]
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", NOTEBOOK, json.dumps(cells)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "['hourly']"
