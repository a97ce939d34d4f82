#!/usr/bin/env python3
"""The other side of the wire `agent`, in the language of the original and with its library.

It behaves as RedPepper 0.3.4 does where that shows: it reads its stream before it looks at what it
has read, takes one message of a read, checks fields as strictly, and closes as readily. Each event
is a JSON object a line on stdout; the last one is {"end": WHY}.

Usage: redpepper_peer.py manager|agent CERTS-FOLDER IP PORT [COUNT]
"""
import hashlib
import json
import random
import socket
import ssl
import sys
import threading
import time
import uuid

import msgpack

FIELDS = {
    10: {"id": str, "version": str, "credentials": str},
    11: {"version": str},
    12: {"data": int},
    13: {"data": int},
    14: {"reason": str},
    20: {"id": str, "method": str, "args": list, "kwargs": dict},
    21: {"id": str, "success": bool, "data": object},
    22: {"type": str, "data": object},
}
LIMIT = 1048576
PATIENCE = 30
out_lock = threading.Lock()


def tell(**event):
    with out_lock:
        print(json.dumps(event), flush=True)


class ProtocolError(Exception):
    pass


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.reads = 0
        self.lock = threading.Lock()

    def receive(self):
        while True:
            data = self.sock.recv(1024)
            if not data:
                raise EOFError
            self.reads += 1
            self.buffer += data
            if len(self.buffer) < 4:
                continue
            length = int.from_bytes(self.buffer[:4], "big")
            if length > LIMIT:
                raise ProtocolError("too big")
            if length > len(self.buffer) - 4:
                continue
            payload, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
            message = msgpack.unpackb(payload)
            if next(iter(message)) != "t" or list(message)[1:] != list(FIELDS[message["t"]]):
                raise ProtocolError(f"fields {list(message)}")
            if msgpack.packb(message) != payload:
                raise ProtocolError(f"not the least width: {payload.hex()}")
            for name, kind in FIELDS[message["t"]].items():
                if not isinstance(message[name], kind):
                    raise ProtocolError(f"{name} is {message[name]!r}")
            return message

    def send(self, **message):
        payload = msgpack.packb(message)
        with self.lock:
            self.sock.sendall(len(payload).to_bytes(4, "big") + payload)


def context(side, folder):
    server = side == "manager"
    ctx = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH)
    ctx.load_cert_chain(f"{folder}/{side}.pem", f"{folder}/{side}.key")
    ctx.load_verify_locations(f"{folder}/ca.pem")
    ctx.check_hostname = not server
    ctx.verify_mode = ssl.CERT_REQUIRED
    return ctx


# ---- a manager ----


def command(conn, cmdtype, *args, **kwargs):
    """Sends it and collects what follows: its Response, its progress, its result."""
    request, ident, seen = uuid.uuid4().hex, uuid.uuid4().hex, []
    conn.send(t=20, id=request, method="command", args=[],
              kwargs={"id": ident, "cmdtype": cmdtype, "args": list(args), "kwargs": kwargs})
    while True:
        message = conn.receive()
        if message["t"] == 12:
            conn.send(t=13, data=message["data"])
        elif message["t"] == 21:
            assert message["id"] == request, message
            seen.append(["response", message["success"], message["data"]])
            if not message["success"]:
                return seen
        elif message["t"] == 22 and message["type"] == "command_progress":
            data = message["data"]
            assert list(data) == ["command_id", "current", "total", "message"], data
            assert data["command_id"] == ident
            seen.append([data["current"], data["total"], data["message"]])
        elif message["t"] == 22:
            data = message["data"]
            assert list(data) == ["id", "success", "changed", "output"], data
            assert data["id"] == ident
            seen.append([data["success"], data["changed"], data["output"]])
            return seen


def manage(conn, where):
    hello = conn.receive()
    assert hello["t"] == 10, hello
    expected = hashlib.sha256(b"secret of " + hello["id"].encode()).hexdigest()
    if hashlib.sha256(hello["credentials"].encode()).hexdigest() != expected:
        conn.send(t=14, reason="authentication failed")
        tell(refused=hello["id"])
        return
    conn.send(t=11, version="0.3.4")
    tell(hello=hello, address=where)
    for data in (5, -(2**63), 2**64 - 1):
        conn.send(t=12, data=data)
        while True:
            message = conn.receive()
            if message["t"] == 13:
                break
            conn.send(t=13, data=message["data"])
        assert message["data"] == data, message
    for cmdtype, args, kwargs in (
        ("noop.Noop", [], {}),
        ("echo.Echo", ["hello"], {}),
        ("echo.Echo", [], {"message": "hello", "reverse": True}),
        ("echo.Echo", ["x" * 20000], {}),
        ("target.Ping", [], {}),
        ("target.StandUp", [], {}),
        ("target.StandUp", [], {}),
        ("target.LayDown", [], {}),
        ("target.Activate", [0.1], {}),
        ("nowhere.Nothing", [], {}),
        ("target.Jump", [], {}),
    ):
        seen = command(conn, cmdtype, *args, **kwargs)
        tell(id=hello["id"], command=cmdtype, seen=json.loads(json.dumps(seen).replace("x" * 19990, "...")))
    conn.send(t=20, id="1" * 32, method="nothing", args=["a"], kwargs={})
    while (message := conn.receive())["t"] != 21:
        conn.send(t=13, data=message["data"])
    tell(id=hello["id"], response=[message["success"], message["data"]])
    conn.send(t=14, reason="server shutting down")


def serve(listener, ctx, count):
    threads = []

    def run(sock, where):
        try:
            with ctx.wrap_socket(sock, server_side=True) as tls:
                manage(Connection(tls), where)
        except EOFError:
            tell(error="the agent closed")
        except Exception as error:  # pylint: disable=broad-except
            tell(error=repr(error))

    for _ in range(count):
        sock, where = listener.accept()
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threads.append(threading.Thread(target=run, args=(sock, where[0])))
        threads[-1].start()
    for thread in threads:
        thread.join()
    tell(end="all served")


# ---- an agent ----


def work(conn, request):
    kwargs = request["kwargs"]
    conn.send(t=21, id=request["id"], success=True, data=None)
    progress = {"command_id": kwargs["id"], "current": 0, "total": 1,
                "message": f"Running {kwargs['cmdtype']}..."}
    conn.send(t=22, type="command_progress", data=progress)
    known = kwargs["cmdtype"] in ("noop.Noop", "echo.Echo")
    if known:
        progress = dict(progress, current=1, message=f"Finished {kwargs['cmdtype']}")
        conn.send(t=22, type="command_progress", data=progress)
    output = "Operation no-op succeeded:\n" if known else f"Operation {kwargs['cmdtype']} failed:\n"
    conn.send(t=22, type="command_result",
              data={"id": kwargs["id"], "success": known, "changed": False, "output": output})


def act(ctx, ip, port, ident, secret):
    sock = socket.create_connection((ip, port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ctx.wrap_socket(sock, server_hostname="localhost") as tls:
        conn, waiting, pongs = Connection(tls), [], 0
        conn.send(t=10, id=ident, version="0.3.4", credentials=secret)
        hello = conn.receive()
        if hello["t"] == 14:
            tell(id=ident, bye=hello["reason"])
            return
        assert hello == {"t": 11, "version": "0.3.4"}, hello
        tell(id=ident, hello=hello)
        # One thread a connection: OpenSSL's are not to be shared.
        tls.settimeout(0.05)
        due = time.monotonic() + 0.3
        while True:
            if time.monotonic() >= due:
                waiting.append(random.randint(0, 1000000))
                conn.send(t=12, data=waiting[-1])
                due = time.monotonic() + PATIENCE
            try:
                message = conn.receive()
            except TimeoutError:
                continue
            if message["t"] == 12:
                conn.send(t=13, data=message["data"])
            elif message["t"] == 13:
                assert waiting.pop(0) == message["data"]
                pongs += 1
                due = time.monotonic() + 0.3
            elif message["t"] == 20:
                tell(id=ident, request=message["kwargs"]["cmdtype"], args=message["kwargs"]["args"],
                     named=message["kwargs"]["kwargs"],
                     hex=all(len(i) == 32 for i in (message["id"], message["kwargs"]["id"])))
                work(conn, message)
            elif message["t"] == 14:
                tell(id=ident, bye=message["reason"], pongs=pongs)
                return


def main():
    side, folder, ip, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    ctx = context(side, folder)
    if side == "manager":
        with socket.create_server((ip, port), backlog=64) as listener:
            listener.settimeout(PATIENCE)
            serve(listener, ctx, count)
        return
    secrets = ["wrong"] + [f"secret of agent_{i}" for i in range(1, count + 1)]
    threads = [threading.Thread(target=act, args=(ctx, ip, port, f"agent_{i}", secret))
               for i, secret in enumerate(secrets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell(end="all over")


main()
