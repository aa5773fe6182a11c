"""Runs in a pod that clients talk to: prints lines, and answers on two ports.

Owns what it answers: on 7777 all it got, once its end has come; on 7778 each piece at once.
"""

import socket
import sys
import threading
import time


def answer_at_the_end(connection: socket.socket) -> None:
    """The half-close must have come through, or this waits for ever."""
    got = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.sendall(got)
    connection.close()


def answer_at_once(connection: socket.socket) -> None:
    """An echo."""
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()


def serve(port: int) -> None:
    """For ever."""
    answer = answer_at_the_end if port == 7777 else answer_at_once
    with socket.create_server(("", port)) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=[connection]).start()


for port in (7777, 7778):
    threading.Thread(target=serve, args=[port], daemon=True).start()
number = 0
while True:
    number += 1
    sys.stdout.write(f"line {number}\n")
    sys.stdout.flush()
    time.sleep(0.2)
