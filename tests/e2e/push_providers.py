"""Expo, FCM and Web Push on this machine: they answer as documented, and fail when told to."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def base64url(content: bytes) -> str:
    """Write bytes as the Web Push documents do."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Read bytes as the Web Push documents write them."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half of a key, uncompressed."""
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


@dataclass
class Browser:
    """A subscription, with the private half that only the browser has."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = b"0123456789abcdef"

    def subscription(self, endpoint: str) -> str:
        """What the page registers, as JSON."""
        keys = {"p256dh": base64url(public_bytes(self.key)), "auth": base64url(self.auth)}
        return json.dumps({"endpoint": endpoint, "keys": keys})

    def decrypt(self, body: bytes) -> Any:
        """Read a push as RFC 8291 says."""
        salt, length = body[:16], body[20]
        server, content = body[21 : 21 + length], body[21 + length :]
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), server)
        shared = self.key.exchange(ec.ECDH(), peer)
        info = b"WebPush: info\x00" + public_bytes(self.key) + server
        secret = HKDF(hashes.SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(secret)
        return json.loads(AESGCM(key).decrypt(nonce, content, None).rstrip(b"\x00")[:-1])


@dataclass
class Providers:
    """What arrived, and what goes wrong next: ``faults`` are used up one per request.

    While there is an event under the name of a provider in ``held``, it takes pushes and keeps its
    answer back until the event is set.
    """

    url: str = ""
    expo: list[dict[str, Any]] = field(default_factory=list)
    fcm: list[dict[str, Any]] = field(default_factory=list)
    browsers: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    vapid: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    account: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048)
    )

    def environment(self) -> dict[str, str]:
        """The variables of the function that lead here."""
        pem = self.account.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        account = {"project_id": "demo", "client_email": "push@demo.example", "private_key": pem}
        private = self.vapid.private_numbers().private_value.to_bytes(32, "big")
        return {
            "EXPO_URL": f"{self.url}/expo",
            "EXPO_ACCESS_TOKEN": "expo-secret",
            "FCM_URL": f"{self.url}/fcm",
            "FCM_TOKEN_URL": f"{self.url}/token",
            "FCM_SERVICE_ACCOUNT": json.dumps(account),
            "WEB_PUSH_URL": f"{self.url}/web",
            "VAPID_PUBLIC_KEY": base64url(public_bytes(self.vapid)),
            "VAPID_PRIVATE_KEY": base64url(private),
            "VAPID_SUBJECT": "mailto:push@demo.example",
        }

    def _fault(self, request: web.Request) -> Awaitable[web.StreamResponse] | None:
        self.asked.append(request.path)
        return self.faults.pop(0)(request) if self.faults else None

    async def _hold(self, name: str) -> None:
        if (event := self.held.get(name)) is not None:
            await event.wait()

    async def _send_expo(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["authorization"] == "Bearer expo-secret"
        messages = await request.json()
        if (fault := self._fault(request)) is not None:
            return await fault
        tickets = []
        for message in messages:
            if message["to"] in self.dead:
                error = {"error": "DeviceNotRegistered"}
                tickets.append({"status": "error", "message": "gone", "details": error})
                continue
            self.expo.append(message)
            tickets.append({"status": "ok", "id": str(uuid4())})
        await self._hold("expo")
        return web.json_response({"data": tickets})

    async def _receipts(self, request: web.Request) -> web.Response:
        ids = (await request.json())["ids"]
        self.asked.append(request.path)
        error = {"status": "error", "details": {"error": "DeviceNotRegistered"}}
        return web.json_response({"data": dict.fromkeys(ids, error)})

    async def _token(self, request: web.Request) -> web.Response:
        assertion = str((await request.post())["assertion"])
        claims = jwt.decode(
            assertion, self.account.public_key(), algorithms=["RS256"], audience=f"{self.url}/token"
        )
        assert claims["iss"] == "push@demo.example"
        return web.json_response({"access_token": "fcm-token", "expires_in": 3599})

    async def _send_fcm(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["authorization"] == "Bearer fcm-token"
        message = (await request.json())["message"]
        if (fault := self._fault(request)) is not None:
            return await fault
        if message["token"] in self.dead:
            details = [{"errorCode": "UNREGISTERED"}]
            return web.json_response({"error": {"code": 404, "details": details}}, status=404)
        self.fcm.append(message)
        await self._hold("fcm")
        return web.json_response({"name": "projects/demo/messages/1"})

    async def _send_web(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if (fault := self._fault(request)) is not None:
            return await fault
        if request.path in self.dead:
            return web.Response(status=410)
        self.browsers.append(
            ({name.lower(): value for name, value in request.headers.items()}, body)
        )
        await self._hold("web")
        return web.Response(status=201)


def answers(status: int, text: str = "", **headers: str) -> Fault:
    """Make a provider answer with a status, once."""

    async def answer() -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return lambda _: answer()


def hangs(until: asyncio.Event) -> Fault:
    """Make a provider take a request and not answer it."""

    async def answer() -> web.StreamResponse:
        await until.wait()
        return web.Response(status=500)

    return lambda _: answer()


@asynccontextmanager
async def push_providers() -> AsyncIterator[Providers]:
    """Serve all three on a free port."""
    providers = Providers()
    app = web.Application()
    app.router.add_post("/expo/send", providers._send_expo)
    app.router.add_post("/expo/getReceipts", providers._receipts)
    app.router.add_post("/token", providers._token)
    app.router.add_post("/fcm/v1/projects/demo/messages:send", providers._send_fcm)
    app.router.add_post("/web/{path:.*}", providers._send_web)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    providers.url = f"http://127.0.0.1:{port}"
    try:
        yield providers
    finally:
        await runner.cleanup()
