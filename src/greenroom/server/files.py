"""The files a page loads: the built page, avatars, backgrounds, models (olv-protocol §15).

The page and the shipped pictures are small and never change, so they are read once, compressed once, and
served from memory: opening a page touches no disk and no thread. The user's own files are served from disk.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from greenroom.server.security.headers import INERT_POLICY, OTHER_PAGE_POLICY, PAGE_POLICY

mimetypes.add_type("application/javascript", ".js")
mimetypes.add_type("application/javascript", ".mjs")
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("image/webp", ".webp")

CORS = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
MAX_MEMORY_FILE = 8 * 1024 * 1024
MAX_FILES = 2000
AVATARS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".svg"})
BACKGROUNDS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg"})
FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in memory with everything its answer needs."""

    body: bytes
    zipped: bytes | None
    media_type: str
    etag: str
    cache: str

    def response(self, request: Request, extra: Mapping[str, str]) -> Response:
        headers = {**CORS, **extra, "ETag": self.etag, "Cache-Control": self.cache, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if self.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                self.zipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=self.media_type
            )
        return Response(self.body, headers=headers, media_type=self.media_type)


def stored_file(body: bytes, name: str, *, immutable: bool = False) -> StoredFile:
    """Prepare a file for serving; texts are compressed."""
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type.endswith(("javascript", "json", "xml")):
        zipped = gzip.compress(body, 9, mtime=0) if len(body) > 512 else None
    else:
        zipped = None
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return StoredFile(
        body, zipped, media_type, etag, "public, max-age=31536000, immutable" if immutable else "no-cache"
    )


def read_folder(folder: Path) -> dict[str, StoredFile]:
    """All files of a folder by their path in it; those in a build's `assets/` never change."""
    found: dict[str, StoredFile] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > MAX_MEMORY_FILE or len(found) >= MAX_FILES:
            continue
        name = path.relative_to(folder).as_posix()
        found[name] = stored_file(path.read_bytes(), name, immutable=name.startswith("assets/"))
    return found


class PictureFolder:
    """Pictures of one kind: the user's folder first, then the shipped ones.

    Args:
        own: the user's folder; need not exist.
        shipped: the package's folder.
        endings: which files are pictures of this kind; all others are refused.
    """

    def __init__(self, own: Path, shipped: Path, endings: frozenset[str]) -> None:
        self._own = own
        found = read_folder(shipped) if shipped.is_dir() else {}
        self._shipped = {name: stored for name, stored in found.items() if "/" not in name}
        self._endings = endings
        self._names: list[str] = []
        self._looked_at = float("-inf")
        self._stamp = -1

    def names(self) -> list[str]:
        """Bare file names, the user's own first; the folder is looked at once a second at most."""
        now = monotonic()
        if now - self._looked_at >= FRESH_SECONDS:
            self._looked_at = now
            stamp = self._own.stat().st_mtime_ns if self._own.is_dir() else 0
            if stamp != self._stamp:
                self._stamp = stamp
                own = sorted(p.name for p in _files(self._own) if p.suffix.lower() in self._endings)[
                    :MAX_FILES
                ]
                shipped = [
                    name for name in self._shipped if Path(name).suffix in self._endings and name not in own
                ]
                self._names = own + shipped
        return self._names

    async def __call__(self, request: Request) -> Response:
        name = request.path_params["name"]
        if Path(name).suffix.lower() not in self._endings:
            return PlainTextResponse("This type of file is not served here.", status_code=403, headers=CORS)
        policy = {"Content-Security-Policy": INERT_POLICY}
        own = self._own / name
        if "/" not in name and "\\" not in name and not name.startswith(".") and _is_file(own):
            return FileResponse(own, headers={**CORS, **policy, "Cache-Control": "no-cache"})
        stored = self._shipped.get(name)
        if stored is None:
            return PlainTextResponse("There is no such picture.", status_code=404, headers=CORS)
        return stored.response(request, policy)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:  # a name that no file can have, such as one too long
        return False


def _files(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]


SEED = """<script>/* addresses for a client that does not look where it came from */(function(){
var ws=(location.protocol==="https:"?"wss://":"ws://")+location.host+"/client-ws",base=location.origin;
try{if(!localStorage.getItem("wsUrl"))localStorage.setItem("wsUrl",JSON.stringify(ws));
if(!localStorage.getItem("baseUrl"))localStorage.setItem("baseUrl",JSON.stringify(base));}catch(e){}
})();</script>"""


class Page:
    """The built page at `/`; `index.html` also for unknown paths without an ending.

    Args:
        folder: the build.
        seed: put the addresses the page should use into its `index.html`, for clients that keep them in the
            browser's storage and start with fixed ones.
        fallback: whose `assets/` are served beside this build's: the ops page has its own.
    """

    def __init__(self, folder: Path, *, seed: bool, fallback: Page | None = None) -> None:
        self._policy = {"Content-Security-Policy": OTHER_PAGE_POLICY if seed else PAGE_POLICY}
        self._files = read_folder(folder) if folder.is_dir() else {}
        for name, stored in () if fallback is None else fallback._files.items():
            if name.startswith("assets/"):
                self._files.setdefault(name, stored)
        self.built = "index.html" in self._files
        if not self.built:
            self._files["index.html"] = stored_file(NOT_BUILT.encode(), "index.html")
        elif seed:
            html = self._files["index.html"].body.decode("utf-8", "replace")
            head = html.lower().find("<head>")
            at = head + len("<head>") if head >= 0 else 0
            self._files["index.html"] = stored_file((html[:at] + SEED + html[at:]).encode(), "index.html")

    def file(self, request: Request, name: str) -> Response:
        """One file of the build by its name; `NOT_BUILT` if it is not there."""
        stored = self._files.get(name)
        if stored is None:
            stored = stored_file(NOT_BUILT.encode(), name)
        return stored.response(request, self._policy)

    async def __call__(self, request: Request) -> Response:
        path = request.path_params.get("path", "")
        stored = self._files.get(path or "index.html") or self._files.get(f"{path.rstrip('/')}/index.html")
        if stored is None:
            if "." in path.rsplit("/", 1)[-1]:
                return PlainTextResponse("There is no such file.", status_code=404, headers=CORS)
            stored = self._files["index.html"]
        return stored.response(request, self._policy)


NOT_BUILT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Greenroom</title></head>
<body><h1>Greenroom is running</h1><p>Its web page has not been built. Run <code>make page</code> and start the
server again. Clients of the Open-LLM-VTuber protocol can connect to <code>/client-ws</code> as they are.</p>
</body></html>"""
