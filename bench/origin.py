"""The server behind every proxy: nginx with fixed answers, and its count of TLS handshakes."""

from pathlib import Path

from bench.peers import STOP_TIMEOUT_S, find_nginx, render, wait_until_listening
from bench.scene import BULK_CHUNKED, BULK_WITH_LENGTH, CLOSING_TARGET, Scene, Upstream
from tests.controlplane import ServerProcess, choose_port

TLS_NAME = "kubernetes"


class Origin:
    """`Origin(scene)` starts it; `stop` ends it. Loaded directly, it is what nothing adds to."""

    name = "direct"

    def __init__(self, scene: Scene) -> None:
        port = choose_port()
        self.address = f"127.0.0.1:{port}"
        self.ca_file = scene.ca_file
        self.token_file = scene.folder / "upstream.token"
        self.token_file.write_text(scene.upstream_token)
        self.upstream = Upstream(port, TLS_NAME, scene.ca_file, scene.upstream_token)
        self._handshakes = scene.folder / "handshakes.log"
        render("origin.js", scene.folder / "origin.js", BODY=scene.body)
        config = render(
            "origin.nginx.conf",
            scene.folder / "origin.conf",
            PORT=port,
            UPSTREAM_TOKEN=scene.upstream_token,
            CERTIFICATE=scene.serving.certificate,
            KEY=scene.serving.key,
            BODY=scene.body,
            FOLDER=scene.folder,
            CLOSING=CLOSING_TARGET,
            BULK_LENGTH=BULK_WITH_LENGTH,
            BULK_CHUNKED=BULK_CHUNKED,
            BULK_FILE=scene.bulk_file,
            HANDSHAKE_LOG=self._handshakes,
        )
        command = [str(find_nginx()), "-p", f"{scene.folder}/", "-c", str(config)]
        self.process = ServerProcess(
            [*command, "-e", "origin.error.log"],
            log=scene.folder / "origin.out",
        )
        wait_until_listening(self.process, port)

    def stop(self) -> None:
        """As a proxy is."""
        self.process.terminate(STOP_TIMEOUT_S)

    def count_handshakes(self) -> tuple[int, int]:
        """How many connections have asked something so far: resumed, and all."""
        lines = read_lines(self._handshakes)
        return lines.count("r"), len(lines)


def read_lines(path: Path) -> list[str]:
    """The lines of a file that may not be there yet."""
    return path.read_text().splitlines() if path.exists() else []
