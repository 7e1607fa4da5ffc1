"""``agentool import``."""
import typer
app = typer.Typer(name="import", help="Stub.")
@app.command()
def jsonl() -> None:
    """Stub."""
