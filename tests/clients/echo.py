#!/usr/bin/env python3
"""Debian's python3-websockets and python3-msgpack against tests/bench/rpc_echo: "ok NAME" or why not.

Usage: echo.py IP:PORT. Exits 77 where the packages are not there.
"""
import asyncio
import json
import sys

try:
    import msgpack
    import websockets
except ImportError:
    sys.exit(77)

WHERE = "ws://" + sys.argv[1] + "/ws"


async def ask(ws, **message):
    await ws.send(json.dumps({"jsonrpc": "2.0", **message}))
    return json.loads(await ws.recv())


async def calls_and_deflate():
    async with websockets.connect(WHERE) as ws:
        assert (await ask(ws, method="sum", params=[1, 2], id=1)) == {"jsonrpc": "2.0", "result": 3, "id": 1}
        long = "quintain " * 10000
        for i in range(3):
            assert (await ask(ws, method="echo", params=[long], id=i))["result"] == long
    assert ws.close_code == 1000


async def without_deflate_and_in_fragments():
    async with websockets.connect(WHERE, compression=None) as ws:
        async def pieces():
            for piece in ['{"jsonrpc":"2.0",', '"method":"sum","params":[4', ',5],"id":null}']:
                yield piece
        await ws.send(pieces())
        assert json.loads(await ws.recv()) == {"jsonrpc": "2.0", "result": 9, "id": None}
        await (await ws.ping())


async def binary():
    async with websockets.connect(WHERE) as ws:
        await ws.send(msgpack.packb({"jsonrpc": "2.0", "method": "echo", "params": [{"a": [1, -2, 3.5, None, "\u00e4"]}], "id": "x"}))
        answer = msgpack.unpackb(await ws.recv())
        assert answer == {"jsonrpc": "2.0", "result": {"a": [1, -2, 3.5, None, "\u00e4"]}, "id": "x"}, answer


async def many_at_once():
    async def one(n):
        async with websockets.connect(WHERE) as ws:
            for i in range(20):
                assert (await ask(ws, method="sum", params=[n, i], id=i))["result"] == n + i
    await asyncio.gather(*(one(n) for n in range(50)))


async def subprotocol():
    async with websockets.connect(WHERE, subprotocols=["mqtt", "jsonrpc"]) as ws:
        assert ws.subprotocol == "jsonrpc"


async def main():
    failed = 0
    for check in (calls_and_deflate, without_deflate_and_in_fragments, binary, many_at_once, subprotocol):
        try:
            await asyncio.wait_for(check(), 20)
            print("ok python_" + check.__name__)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"not ok python_{check.__name__}: {error!r}")
    sys.exit(failed > 0)


asyncio.run(main())
