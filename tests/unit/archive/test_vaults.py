"""What every vault promises, held against each: memory, a folder, and an object store that speaks S3 over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from atoll.archive import ConfiguredBuckets
from atoll.config import ArchiveConfig
from region.archive import packing, vault
from region.archive.folder import FolderVault
from region.archive.packing import Packer
from region.archive.vault import MemoryVault, Vault
from region.errors import ArchiveError
from tests.unit.archive.object_store import ObjectStore


@pytest.fixture(params=["memory", "folder", "url", "s3", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    if request.param == "memory":
        yield MemoryVault()
    elif request.param == "folder":
        yield FolderVault(tmp_path)
    elif request.param == "url":
        yield ConfiguredBuckets(ArchiveConfig(buckets=f"file://{tmp_path}/{{bucket}}")).vault("place")
    elif request.param == "fsspec":
        yield ConfiguredBuckets(ArchiveConfig(buckets=f"memory://{tmp_path.name}-{{bucket}}")).vault("place")
    else:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        server = ObjectStore()
        settings = ArchiveConfig(buckets="s3://{bucket}/below", endpoint_url=server.url)
        yield ConfiguredBuckets(settings).vault("place")
        server.close()


def test_a_blob_is_read_as_it_was_written_and_replaced_as_a_whole(store: Vault) -> None:
    for data in (b"first", b"", bytes(range(256)) * 5000):
        vault.put(store, "a/b/c.bin", data)
        assert vault.read(store, "a/b/c.bin") == data


def test_names_are_those_that_begin_with_the_prefix_in_order(store: Vault) -> None:
    for name in ("a/2", "a/1", "a/b/3", "ab/4", "c"):
        vault.put(store, name, b"x")
    assert store.names("a/") == ["a/1", "a/2", "a/b/3"]
    assert store.names("a") == ["a/1", "a/2", "a/b/3", "ab/4"]
    assert store.names("") == ["a/1", "a/2", "a/b/3", "ab/4", "c"]
    assert store.names("d/") == []


def test_what_is_not_there_is_said_and_deleting_it_is_no_error(store: Vault) -> None:
    assert store.stamp("a/nothing") is None
    with pytest.raises(ArchiveError, match="nothing"):
        vault.read(store, "a/nothing")
    store.delete("a/nothing")


def test_a_stamp_tells_the_size_and_a_deleted_blob_is_gone(store: Vault) -> None:
    vault.put(store, "a/x", b"12345")
    stamp = store.stamp("a/x")
    assert stamp is not None
    assert stamp.startswith("5-")
    store.delete("a/x")
    assert (store.stamp("a/x"), store.names("a/")) == (None, [])


def test_a_blob_that_was_abandoned_never_appears(store: Vault) -> None:
    blob = store.create("a/half")
    blob.write(b"half")
    blob.abandon()
    blob.abandon()
    assert store.names("a/") == []


def test_a_packed_file_is_unpacked_line_by_line_and_knows_its_digest(store: Vault) -> None:
    packer = Packer(store, "lines.zst")
    packer.add([b"one", b"", b"three" * 1000])
    packer.add([])
    packer.add([b"four"])
    packed = packer.finish()
    assert packed.lines == 4
    assert list(packing.unpack(store, "lines.zst")) == [b"one", b"", b"three" * 1000, b"four"]
    assert packing.digest(store, "lines.zst") == packed.sha256


def test_files_of_several_frames_are_read_and_those_that_were_cut_off_are_refused(store: Vault) -> None:
    for name in ("one", "two"):
        packer = Packer(store, name)
        packer.add([name.encode() * 1000])
        packer.finish()
    both = vault.read(store, "one") + vault.read(store, "two")
    vault.put(store, "both", both)
    assert [line[:3] for line in packing.unpack(store, "both")] == [b"one", b"two"]
    vault.put(store, "cut", both[:-3])
    with pytest.raises(ArchiveError, match="cut is damaged: it was cut off"):
        list(packing.unpack(store, "cut"))
    vault.put(store, "wrong", b"no zstd at all")
    with pytest.raises(ArchiveError, match="wrong is damaged"):
        list(packing.unpack(store, "wrong"))


def test_a_folder_is_never_left_and_leftovers_of_a_crash_are_tidied_away(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "half.part").write_bytes(b"half")
    store = FolderVault(tmp_path, tidy=True)
    assert list(tmp_path.rglob("*.part")) == []
    for name in ("../outside", "/etc/passwd", "a/../../b"):
        with pytest.raises(ArchiveError, match="leads out of"):
            store.open(name)
