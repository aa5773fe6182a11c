"""Owns the webhook's process: what it serves, and that it ends without turning anybody away.

Must not answer anything, pages.py does, nor know where its certificate comes from.
"""

import asyncio
from functools import partial
from typing import Final

from webhook.admission.environment import ServerSettings
from webhook.admission.pages import Webhook
from webhook.admission.provision import MemberSource
from webhook.certificates.file_certificate import CertificateSource
from webhook.serving.lifetime import Served, serve_until_signal

# A large review has a thread beside the loop.
_SWITCH_S: Final = 0.0005


async def serve(
    settings: ServerSettings, certificate: CertificateSource, members: MemberSource
) -> int:
    """Serve until a signal asks to end; the exit code."""
    webhook = Webhook(settings.injection, members)
    webhook.lacks = certificate.lacks

    async def live(ending: asyncio.Event) -> None:
        tell = partial(setattr, webhook, "lacks")
        await certificate.keep(ending, webhook.tally.registry, tell)
        webhook.draining = True

    served = Served(
        name="webhook",
        application=webhook.build(),
        context=certificate.context,
        host=settings.host,
        port=settings.port,
        drain_s=settings.drain_s,
        switch_s=_SWITCH_S,
        refuse=webhook.tally.refuse_connection,
    )
    return await serve_until_signal(served, live)
