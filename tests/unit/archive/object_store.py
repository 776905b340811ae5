"""A small object store that speaks S3 over HTTP, for tests: real sockets, objects in memory, no signatures."""

from __future__ import annotations

import re
import threading
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape


class ObjectStore:
    """Serves buckets at ``url``, path style, until it is closed."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Say nothing."""

            def do_PUT(self) -> None:
                data = self._body()
                store.objects[self._target()[0]] = data
                self._answer(200, etag=data)

            def do_POST(self) -> None:
                bucket = self._target()[0]
                keys = re.findall(r"<Key>(.*?)</Key>", self._body().decode())
                for key in keys:
                    store.objects.pop(f"{bucket}/{unescape(key)}", None)
                gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
                self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers["Content-Length"] or 0))

            def do_DELETE(self) -> None:
                store.objects.pop(self._target()[0], None)
                self._answer(204)

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path, query = self._target()
                if "list-type" in query:
                    self._list(path.partition("/")[0], query.get("prefix", [""])[0])
                    return
                data = store.objects.get(path)
                if data is None:
                    self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                    return
                span = self.headers["Range"]
                if span is None:
                    self._answer(200, data, etag=data)
                    return
                first, _, last = span.removeprefix("bytes=").partition("-")
                end = min(int(last or len(data) - 1), len(data) - 1)
                piece = data[int(first) : end + 1]
                self._answer(206, piece, etag=data, span=f"bytes {first}-{end}/{len(data)}")

            def _target(self) -> tuple[str, dict[str, list[str]]]:
                address = urlsplit(self.path)
                return unquote(address.path).strip("/"), parse_qs(address.query, keep_blank_values=True)

            def _list(self, bucket: str, prefix: str) -> None:
                found = {
                    name.partition("/")[2]: data
                    for name, data in store.objects.items()
                    if name.startswith(f"{bucket}/")
                }
                rows = "".join(
                    f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                    f"<ETag>x</ETag><Size>{len(data)}</Size></Contents>"
                    for name, data in sorted(found.items())
                    if name.startswith(prefix)
                )
                self._answer(
                    200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()
                )

            def _answer(self, status: int, body: bytes = b"", *, etag: bytes | None = None, span: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
                if etag is not None:
                    self.send_header("ETag", f'"{md5(etag, usedforsecurity=False).hexdigest()}"')
                if span:
                    self.send_header("Content-Range", span)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
