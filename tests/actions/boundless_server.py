"""An MCP server for the tests, over its standard input and output, that knows no measure in what its argument names."""

import json
import os
import sys

kind = sys.argv[1]


def answer(number: int, **said: object) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": number, **said}), flush=True)


def result_of(method: str, params: dict, number: int) -> dict:
    if method == "initialize":
        info = {"name": "boundless", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        described = "d" * (1_000_000 if kind == "descriptions" else 1)
        tools = [{"name": f"t{place}", "description": described, "inputSchema": {"type": "object"}} for place in range(100)]
        if kind == "list":
            return {"tools": [{"name": "t", "description": "d" * 20_000_000, "inputSchema": {"type": "object"}}]}
        if kind in ("pages", "descriptions"):
            return {"tools": tools[:1], "nextCursor": "more"}
        return {"tools": tools if kind == "tools" else tools[:1], **({"nextCursor": "more"} if kind == "tools" else {})}
    text = "y" * (20_000_000 if kind in ("text", "failure") else 1)
    return {"content": [{"type": "text", "text": text}], "isError": kind == "failure"}


if kind == "stderr":
    for _ in range(300):
        os.write(2, b"x" * 100_000)
    os.write(2, b"the end")
    sys.exit(1)
if kind == "garbage":
    for _ in range(500):
        print("garbage")
for line in sys.stdin:
    asked = json.loads(line)
    if (number := asked.get("id")) is None:
        continue
    if kind == "error" and asked["method"] == "tools/call":
        answer(number, error={"code": -1, "message": "z" * 20_000_000})
    else:
        answer(number, result=result_of(asked["method"], asked.get("params") or {}, number))
