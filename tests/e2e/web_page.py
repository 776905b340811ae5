"""What a page in somebody's browser would send to an address of AWS's shape, and how it is answered."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest


def assert_refused(url: str) -> None:
    """Send what a web page would, and see it refused in AWS's words."""
    request = urllib.request.Request(url, data=b"{}", headers={"Origin": "http://example.org"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 403
    assert refused.value.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    refused.value.close()
