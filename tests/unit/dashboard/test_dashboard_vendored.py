"""What is vendored is what its maker published, and says so."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import dashboard

VENDOR = Path(dashboard.__file__).parent / "static" / "vendor"


def test_every_vendored_file_has_the_hash_that_its_page_names() -> None:
    named = dict(re.findall(r"^\| `([\w.]+)` .*`([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE))
    files = {file.name for file in VENDOR.iterdir() if file.suffix in (".js", ".css")}
    assert named.keys() == files
    for name, digest in named.items():
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == digest
