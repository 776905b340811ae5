"""Encrypted files of the archive: whole they are what went in; cut, changed, or put together anew they are damage."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll import keyring
from atoll.keyring import FileKeyring, KeyFile
from region.archive.envelope import CHUNK_BYTES, MAGIC, Opened, Sealed
from region.errors import ArchiveError
from region.keyring import OWNED
from region.randomness import SeededRng


def ring(folder: Path, seed: int) -> FileKeyring:
    path = folder / f"{seed}.json"
    keyring.write(path, KeyFile(keys=[keyring.new_key(SeededRng(seed), 0, [OWNED])]))
    rng = SeededRng(seed + 100)
    return FileKeyring(str(path), region="us-east-1", account="0", rng=rng, now_ms=lambda: 0, environment={})


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> tuple[FileKeyring, FileKeyring]:
    folder = tmp_path_factory.mktemp("rings")
    return ring(folder, 1), ring(folder, 2)


def sealed(keys: FileKeyring, *parts: bytes) -> bytes:
    file = Sealed(keys, OWNED)
    return b"".join([file.add(part) for part in parts] + [file.end()])


def opened(keys: FileKeyring | None, data: bytes) -> bytes:
    return io.BufferedReader(Opened(io.BytesIO(data), keys, "file")).read()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2 * CHUNK_BYTES + 1), max_size=4))
def test_what_goes_in_comes_out_whatever_the_pieces(rings: tuple[FileKeyring, FileKeyring], sizes: list[int]) -> None:
    parts = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    file = sealed(rings[0], *parts)
    assert file.startswith(MAGIC)
    assert opened(rings[0], file) == b"".join(parts)


def test_a_plain_file_is_read_as_it_is(rings: tuple[FileKeyring, FileKeyring]) -> None:
    for content in (b"", b"short", b"x" * (CHUNK_BYTES + 5)):
        assert opened(rings[0], content) == content
        assert opened(None, content) == content


def test_a_file_that_was_tampered_with_is_damage_wherever_it_was(rings: tuple[FileKeyring, FileKeyring]) -> None:
    content = b"".join(bytes([number]) * CHUNK_BYTES for number in range(3))
    file = sealed(rings[0], content)
    body = file[-(3 * (CHUNK_BYTES + 20)) :]
    head, chunks = file[: -len(body)], [body[n * (CHUNK_BYTES + 20) :][: CHUNK_BYTES + 20] for n in range(3)]
    other = sealed(rings[0], content)
    assert opened(rings[0], head + b"".join(chunks)) == content
    tampered = {
        "cut between chunks": head + chunks[0] + chunks[1],
        "cut within a chunk": file[:-1],
        "no chunk at all": head,
        "swapped": head + chunks[1] + chunks[0] + chunks[2],
        "repeated": head + chunks[0] + chunks[0] + chunks[2],
        "of another file": head + other[-len(body) :],
        "a flipped bit": file[:-100] + bytes([file[-100] ^ 1]) + file[-99:],
        "a head that is none": MAGIC + b"\x00\x02{}" + body,
    }
    for data in tampered.values():
        with pytest.raises(ArchiveError, match="damaged"):
            opened(rings[0], data)


def test_without_the_key_a_file_cannot_be_read(rings: tuple[FileKeyring, FileKeyring]) -> None:
    file = sealed(rings[0], b"secret")
    assert b"secret" not in file
    with pytest.raises(ArchiveError, match="has no keyring"):
        opened(None, file)
    with pytest.raises(ArchiveError, match="cannot be read: KMS key access denied"):
        opened(rings[1], file)
