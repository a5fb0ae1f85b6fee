"""A provider of logins (OpenID Connect) on this machine, which lets in whoever it is told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass(slots=True, kw_only=True)
class Provider:
    """A provider at an address; `mail` is who will log in next."""

    address: str
    mail: str = ""
    is_verified: bool = True
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "toy"}))
    nonces: dict[str, str] = field(default_factory=dict)

    def metadata(self) -> dict[str, object]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def token(self, code: str) -> dict[str, object]:
        now = int(time.time())
        claims = {
            "iss": self.address, "aud": "fnprune", "sub": self.mail, "iat": now, "exp": now + 600,
            "nonce": self.nonces.pop(code), "email": self.mail,
            "email_verified": self.is_verified,
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "toy"}, claims, self.key)
        return {
            "access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": signed
        }  # fmt: skip


@contextmanager
def provider() -> Iterator[Provider]:
    """Serve a provider at a free port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path == "/authorize":
                code = f"code-{len(made.nonces)}"
                made.nonces[code] = query["nonce"][0]
                back = urlencode({"code": code, "state": query["state"][0]})
                self.send_response(302)
                self.send_header("Location", f"{query['redirect_uri'][0]}?{back}")
                self.end_headers()
                return
            pages = {
                "/.well-known/openid-configuration": made.metadata(),
                "/keys": {"keys": [made.key.as_dict(private=False)]},
            }
            self._send(pages[path])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(made.token(parse_qs(body)["code"][0]))

        def _send(self, value: object) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made = Provider(address=f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
