"""The least that a webhook on aiohttp can do: it parses what it is sent, and sends it back.

What `mca webhook` is compared with. It is told port, certificate and key as arguments.
"""

import ssl
import sys

from aiohttp import web


async def _answer(request: web.Request) -> web.Response:
    return web.json_response(await request.json())


def main(arguments: list[str]) -> int:
    """Serve until it is ended."""
    port, certificate, key = arguments
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    app = web.Application(client_max_size=3 << 20)
    app.router.add_post("/", _answer)
    web.run_app(
        app, host="127.0.0.1", port=int(port), ssl_context=context, print=None, access_log=None
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
