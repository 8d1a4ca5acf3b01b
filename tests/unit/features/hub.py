"""A Hugging Face hub on 127.0.0.1 with one repository, for the real client."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves `files` (name -> bytes) as repository `org/tiny`; `stated` overrides the SHA-256 that it claims for a file."""

    def __init__(self, files, stated=None):
        self.files, self.stated, self.requests = files, stated or {}, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.answer(body=False)

            def do_GET(self):
                self.answer(body=True)

            def answer(self, body):
                hub.requests.append((self.command, self.path))
                path = self.path.split("?")[0]
                if path.startswith("/api/models/org/tiny/revision/"):
                    return self.send(json.dumps(hub.info()).encode(), {"Content-Type": "application/json"}, body)
                if path == f"/api/models/org/tiny/tree/{COMMIT}" and hub.files:
                    return self.send(json.dumps(hub.tree()).encode(), {"Content-Type": "application/json"}, body)
                name = path.removeprefix(f"/org/tiny/resolve/{COMMIT}/")
                if name in hub.files:
                    digest = hub.sha256(name)
                    return self.send(hub.files[name], {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT}, body)
                return self.send(b"{}", {"X-Error-Code": "RepoNotFound"}, body, status=404)

            def send(self, content, headers, body, status=200):
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, *args):
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def sha256(self, name):
        return self.stated.get(name, hashlib.sha256(self.files[name]).hexdigest())

    def info(self):
        files = [
            {"rfilename": name, "size": len(data), "blobId": "0" * 40, "lfs": {"sha256": self.sha256(name), "size": len(data), "pointerSize": 130}}
            for name, data in self.files.items()
        ]
        return {"id": "org/tiny", "_id": "1", "modelId": "org/tiny", "sha": COMMIT, "siblings": files, "private": False, "tags": [], "downloads": 0}

    def tree(self):
        return [
            {"type": "file", "path": name, "size": len(data), "oid": "0" * 40, "lfs": {"oid": self.sha256(name), "size": len(data), "pointerSize": 130}}
            for name, data in self.files.items()
        ]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
