"""`dotnn` without its start: a process that has imported everything once, and forks for every command it is sent.

    python docs/served.py FOLDER

puts a `dotnn` into FOLDER that hands its words, folder, environment and streams to that process, and ends with the
command's own status. Where the environment would make Python itself start otherwise, it runs the real `dotnn` instead.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ASKS = """#!{python} -SIE
import os, _socket
real, settled = {real!r}, {settled!r}
if {{k: v for k, v in os.environ.items() if k.startswith("PYTHON")}} != settled:
    os.execv(real, [real, *__import__("sys").argv[1:]])
import array, sys
words, pairs = sys.argv[1:], [f"{{k}}={{v}}" for k, v in os.environ.items()]
request = os.fsencode("\\0".join([str(len(words)), *words, os.getcwd(), *pairs]))
server = _socket.socket(_socket.AF_UNIX)
server.connect({address!r})
server.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(request)
server.shutdown(_socket.SHUT_WR)
os._exit(int(server.recv(8) or 1))
"""
WARM = "model W { input x: [2]  target t: [1]  output y = x -> dense(2, tanh) -> dense(1) }  train { loss = mse(y, t) }"


@contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield an environment in which `dotnn` is quick to start, and is otherwise as in this one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, folder]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
        try:
            assert server.stdout is not None and server.stdout.readline() == b"ready\n"
            yield {**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}"}
        finally:
            server.terminate()
            server.communicate()


def prepare() -> None:
    """Import what commands import, and build the tables of the parser."""
    from dotnn.cli import main

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        spec = Path(folder, "w.nn")
        spec.write_text(WARM, encoding="utf-8")
        for words in (["compile", "--style", "fast", "-o", "-"], ["check"]):
            with contextlib.suppress(SystemExit):
                main([words[0], str(spec), *words[1:]])


def serve(folder: Path, real: str) -> list[str]:
    """Answer for ever; return the words of a command in the process that has been made for it."""
    address = str(folder / "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    settled = {key: value for key, value in os.environ.items() if key.startswith("PYTHON")}
    asks = folder / "dotnn"
    asks.write_text(ASKS.format(python=sys.executable, real=real, settled=settled, address=address), encoding="utf-8")
    asks.chmod(0o755)
    signal.signal(signal.SIGCHLD, bury)
    os.write(1, b"ready\n")
    while True:
        connection, _ = server.accept()
        with connection:
            if os.fork() == 0:
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return answer(connection)


def bury(*_: object) -> None:
    """Let those processes go that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def answer(connection: socket.socket) -> list[str]:
    """Take over what a command was given, and return its words; tell its status when it has ended."""
    _, streams, *_ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as asked:
        count, *request = os.fsdecode(asked.read()).split("\0")
    command = os.fork()
    if command:
        status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        connection.send(str(status if status >= 0 else 128 - status).encode())
        os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    words, (where, *pairs) = request[: int(count)], request[int(count) :]
    os.chdir(where)
    os.environ.clear()
    os.environ.update(pair.partition("=")[::2] for pair in pairs)
    return words


if __name__ == "__main__":
    real = str(Path(sys.executable).with_name("dotnn"))
    prepare()
    words = serve(Path(sys.argv[1]), real)
    sys.path[0] = str(Path(real).parent)
    sys.argv = [real, *words]
    from dotnn.cli import main

    sys.exit(main())
