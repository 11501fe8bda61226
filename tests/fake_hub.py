"""A stand-in for the hub's endpoints, as far as its clients ask them for models and data sets."""

import hashlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Files = dict[str, bytes]
API = re.compile(
    r"/api/(?P<type>models|datasets)/(?P<repo>[^/]+/[^/]+)"
    r"(?:/(?P<verb>revision|tree|paths-info)/(?P<revision>[^/]+)(?:/(?P<path>.+))?"
    r"|/(?P<check>auth-check))?"
)
RESOLVE = re.compile(
    r"(?:/(?P<type>datasets))?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)"
)


class FakeHub:
    """Repositories by type and name, each a list of commits, the last of which is `main`.

    What is in `gated` shows its commits and keeps its files from everybody.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], list[tuple[str, Files]]] = {}
        self.gated: set[str] = set()
        self.refuses_tokens = False
        self.breaks_off = False  # in the midst of a file
        self.requests: list[str] = []
        self.url = ""

    def commit(self, repo_type: str, repo: str, files: Files) -> str:
        """Add a commit of these files, and no others; its SHA."""
        commits = self.repositories.setdefault((repo_type, repo), [])
        sha = hashlib.sha1(f"{repo_type} {repo} {len(commits)}".encode()).hexdigest()
        commits.append((sha, files))
        return sha

    def environment(self, home: Path) -> dict[str, str]:
        """What points the clients of a process to this hub, with a cache of their own."""
        return {"HF_ENDPOINT": self.url, **quiet(home)}


def quiet(home: Path) -> dict[str, str]:
    """A cache of its own, no telemetry, no other store than the hub itself, no account."""
    return {
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "NO_PROXY": "127.0.0.1",
    }


def folder_files(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@contextmanager
def serving() -> Iterator[FakeHub]:
    """A hub that answers at `.url` while the block runs."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _tree(files: Files, folder: str | None, recursive: bool) -> list[dict[str, object]]:
    """What a folder of a repository holds, its files and folders."""
    prefix = f"{folder}/" if folder else ""
    inside = {path: content for path, content in files.items() if path.startswith(prefix)}
    below = {path: prefix + path.removeprefix(prefix).split("/")[0] for path in inside}
    folders = {first for path, first in below.items() if first != path}
    return [
        *({"type": "directory", "path": path, "oid": "0" * 40} for path in sorted(folders)),
        *(_file(p, content) for p, content in inside.items() if recursive or below[p] == p),
    ]


def _file(path: str, content: bytes) -> dict[str, object]:
    oid = hashlib.sha1(content).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": oid}


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer()

        def do_HEAD(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer()

        def answer(self) -> None:
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            hub.requests.append(f"{self.command} {path}")
            if hub.refuses_tokens and "Authorization" in self.headers:
                message = "Invalid credentials in Authorization header"
                return self.send(b"{}", 401, **{"X-Error-Message": message})
            match = API.fullmatch(path) or RESOLVE.fullmatch(path)
            if not match:
                return self.refuse(404, "NoSuchPath")
            found = match.groupdict()
            key = (found["type"] or "models", found["repo"])
            commits = hub.repositories.get(key)
            if not commits:
                return self.refuse(401, "RepoNotFound")
            asked = found["revision"] or "main"
            commit = next(
                (c for c in commits if asked in (c[0], "main" if c == commits[-1] else "")), None
            )
            if commit is None:
                return self.refuse(404, "RevisionNotFound")
            return self.give(found, key, *commit)

        def give(self, found: dict, key: tuple[str, str], sha: str, files: Files) -> None:
            if ("verb" not in found or found["check"]) and key[1] in hub.gated:
                return self.refuse(401, "GatedRepo")
            if "verb" not in found:
                if found["path"] not in files:
                    return self.refuse(404, "EntryNotFound")
                content = files[found["path"]]
                etag = f'"{hashlib.sha1(content).hexdigest()}"'
                half = content[: len(content) // 2] if hub.breaks_off else None
                return self.send(content, half=half, **{"ETag": etag, "X-Repo-Commit": sha})
            if found["verb"] == "tree":
                recursive = "recursive=true" in self.path.lower()
                listed = _tree(files, found["path"], recursive)
                return self.send_json(listed) if listed else self.refuse(404, "EntryNotFound")
            if found["verb"] == "paths-info":
                wanted = urllib.parse.parse_qs(self.body.decode()).get("paths", [])
                return self.send_json([_file(p, files[p]) for p in wanted if p in files])
            siblings = [{"rfilename": name} for name in files]
            return self.send_json({"id": key[1], "sha": sha, "siblings": siblings, "tags": []})

        def refuse(self, status: int, code: str) -> None:
            self.send(b"{}", status, **{"X-Error-Code": code})

        def send_json(self, value: object) -> None:
            self.send(json.dumps(value).encode(), **{"Content-Type": "application/json"})

        def send(
            self, content: bytes, status: int = 200, half: bytes | None = None, **headers: str
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content if half is None else half)
            if half is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
