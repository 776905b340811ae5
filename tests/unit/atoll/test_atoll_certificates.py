"""Certificates are loaded after a start, not during it, and in the end every context has them."""

from __future__ import annotations

import ssl
import subprocess
import sys

from atoll import certificates


def test_a_context_made_inside_gets_its_certificates_when_they_are_loaded() -> None:
    usual = ssl.create_default_context().cert_store_stats()
    with certificates.deferred():
        context = ssl.create_default_context()
        assert context.cert_store_stats()["x509"] == 0
    certificates.load()
    assert context.cert_store_stats() == usual
    assert ssl.create_default_context().cert_store_stats() == usual


def test_a_start_defers_those_of_the_http_library() -> None:
    program = (
        "import atoll.cli.start\n"
        "from aiohttp import connector\n"
        "from atoll import certificates\n"
        "before = connector._SSL_CONTEXT_VERIFIED.cert_store_stats()['x509']\n"
        "certificates.load()\n"
        "import ssl\n"
        "after = connector._SSL_CONTEXT_VERIFIED.cert_store_stats()\n"
        "print(before, after == ssl.create_default_context().cert_store_stats())\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]
