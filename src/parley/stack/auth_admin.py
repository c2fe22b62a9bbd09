"""The admin API of Auth for users, which lite does not have, on the tables that lite uses.

``create``, ``list``, ``get``, ``update`` and ``delete`` answer as hosted Auth does, so that
``auth.admin`` of the official clients runs unchanged. Invitations and links are refused with a
sentence, because no mail leaves this machine.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from aiohttp import web
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, ValidationError

from parley.queries import queries

query = queries("parley.stack")

USERS = "/auth/v1/admin/users"
NOT_OFFERED = ("/auth/v1/invite", "/auth/v1/admin/generate_link")
ADMINS = ("service_role", "supabase_admin")
PER_PAGE = 50
LONGEST_PASSWORD = 72
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
SECONDS = {"h": 3600, "m": 60, "s": 1}
UNIQUE = {"users_email_partial_key": "email_exists", "users_phone_key": "phone_exists"}
TAKEN = {
    "email_exists": "A user with this email address has already been registered",
    "phone_exists": "A user with this phone number has already been registered",
    "user_already_exists": "A user with this id has already been registered",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


class UserForm(BaseModel):
    """The fields of a request about a user; None changes nothing."""

    model_config = ConfigDict(extra="ignore")

    id: UUID | None = None
    email: str | None = None
    phone: str | None = None
    password: str | None = None
    password_hash: str | None = None
    email_confirm: bool = False
    phone_confirm: bool = False
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None
    role: str | None = None
    ban_duration: str | None = None


class Refused(Exception):
    """An answer of Auth that is an error: the HTTP status, its own word for it, a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        """The answer."""
        body = {"code": self.status, "error_code": self.code, "msg": self.message}
        return web.json_response(body, status=self.status)


class AuthAdmin:
    """The handlers. ``role_of`` returns the role of a request, or None."""

    def __init__(
        self,
        database_url: str,
        shortest_password: int,
        role_of: Callable[[web.Request], str | None],
    ) -> None:
        self._database_url = database_url
        self._shortest_password = shortest_password
        self._role_of = role_of

    def add_routes(self, app: web.Application) -> None:
        """Add the routes of the admin API; lite serves the rest of Auth."""
        router = app.router
        router.add_get(USERS, self._guarded(self.list_users), allow_head=False)
        router.add_post(USERS, self._guarded(self.create_user))
        router.add_get(f"{USERS}/{{id}}", self._guarded(self.get_user), allow_head=False)
        router.add_put(f"{USERS}/{{id}}", self._guarded(self.update_user))
        router.add_delete(f"{USERS}/{{id}}", self._guarded(self.delete_user))
        for path in NOT_OFFERED:
            router.add_post(path, self._guarded(self.refuse))

    def _guarded(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                role = self._role_of(request)
                if role is None:
                    raise Refused(
                        401, "no_authorization", "This endpoint requires a valid Bearer token"
                    )
                if role not in ADMINS:
                    raise Refused(403, "not_admin", "User not allowed")
                return await handler(request)
            except Refused as refused:
                return refused.response()

        return handle

    async def list_users(self, request: web.Request) -> web.Response:
        """A page of users, with the number of all in ``x-total-count``."""
        page, per_page = (
            int(word) if (word := request.query.get(name, "")).isdigit() and int(word) else usual
            for name, usual in (("page", 1), ("per_page", PER_PAGE))
        )
        async with self._acting() as connection:
            values = {"per_page": per_page, "skipped": (page - 1) * per_page}
            cursor = await connection.execute(query("user_page"), values)
            rows = await cursor.fetchall()
            users = await read_users(connection, [row[0] for row in rows])
        total = rows[0][1] if rows else 0
        last = max(1, -(-total // per_page))
        links = {"next": page + 1, "last": last} if page < last else {"last": last}
        link = ", ".join(
            f'<{USERS.removeprefix("/auth/v1")}?page={number}&per_page={per_page}>; rel="{name}"'
            for name, number in links.items()
        )
        return web.json_response(
            {"users": users, "aud": "authenticated"},
            headers={"x-total-count": str(total), "link": link},
        )

    async def create_user(self, request: web.Request) -> web.Response:
        """Make a user; without ``email_confirm`` they have to confirm the address first."""
        form = await read_form(request)
        if not form.email and not form.phone:
            raise Refused(
                400, "validation_failed", "Cannot create a user without either an email or phone"
            )
        user_id = form.id or uuid4()
        values = await self._values(form, user_id)
        values |= {
            "provider": "email" if form.email else "phone",
            "role": form.role or "authenticated",
            "app_metadata": Jsonb(form.app_metadata or {}),
            "user_metadata": Jsonb(form.user_metadata or {}),
            "password_hash": values["password_hash"] or await self._hash(secrets.token_urlsafe(32)),
        }
        return await self._write("user_created", values, user_id)

    async def get_user(self, request: web.Request) -> web.Response:
        """One user."""
        user_id = read_id(request)
        async with self._acting() as connection:
            return web.json_response(await read_user(connection, user_id))

    async def update_user(self, request: web.Request) -> web.Response:
        """Change the named fields of a user."""
        user_id, form = read_id(request), await read_form(request)
        return await self._write("user_updated", await self._values(form, user_id), user_id)

    async def delete_user(self, request: web.Request) -> web.Response:
        """Delete a user, or hide them with ``should_soft_delete``."""
        user_id = read_id(request)
        body = await request.json() if request.can_read_body else {}
        is_soft = isinstance(body, dict) and body.get("should_soft_delete") is True
        async with self._acting() as connection:
            await read_user(connection, user_id)
            if is_soft:
                await connection.execute(query("user_hidden"), {"id": user_id})
                await connection.execute("delete from auth.sessions where user_id = %s", [user_id])
            else:
                await connection.execute("delete from auth.users where id = %s", [user_id])
        return web.json_response({})

    async def refuse(self, request: web.Request) -> web.Response:
        """Answer that this stack does not offer a route."""
        name = request.path.rsplit("/", 1)[-1]
        raise Refused(
            501, "not_offered", f"The local stack sends no mail, so there is no {name} here."
        )

    @asynccontextmanager
    async def _acting(self) -> Any:
        """A transaction as the role that Auth itself has on a hosted project."""
        connecting = psycopg.AsyncConnection.connect(self._database_url)
        async with await connecting as connection, connection.transaction():
            await connection.execute("set local role supabase_auth_admin")
            yield connection

    async def _values(self, form: UserForm, user_id: UUID) -> dict[str, Any]:
        if form.password is not None and len(form.password) < self._shortest_password:
            raise Refused(
                422,
                "weak_password",
                f"Password should be at least {self._shortest_password} characters.",
            )
        if form.password is not None and len(form.password.encode()) > LONGEST_PASSWORD:
            raise Refused(400, "validation_failed", "Password cannot be longer than 72 characters")
        return {
            "id": user_id,
            "email": form.email.lower() if form.email else None,
            "phone": form.phone or None,
            "password_hash": form.password_hash
            or (await self._hash(form.password) if form.password is not None else None),
            "email_confirm": form.email_confirm,
            "phone_confirm": form.phone_confirm,
            "role": form.role,
            "app_metadata": None if form.app_metadata is None else Jsonb(form.app_metadata),
            "user_metadata": None if form.user_metadata is None else Jsonb(form.user_metadata),
            "changes_ban": form.ban_duration is not None,
            "banned_until": banned_until(form.ban_duration),
        }

    async def _hash(self, password: str) -> str:
        async with await psycopg.AsyncConnection.connect(self._database_url) as connection:
            cursor = await connection.execute(
                "select extensions.crypt(%s, extensions.gen_salt('bf', 10))", [password]
            )
            row = await cursor.fetchone()
        return "" if row is None else str(row[0])

    async def _write(self, name: str, values: dict[str, Any], user_id: UUID) -> web.Response:
        try:
            async with self._acting() as connection:
                if name == "user_updated":
                    await read_user(connection, user_id)
                await connection.execute(query(name), values)
                return web.json_response(await read_user(connection, user_id))
        except psycopg.errors.UniqueViolation as error:
            code = UNIQUE.get(str(error.diag.constraint_name), "user_already_exists")
            raise Refused(422, code, TAKEN[code]) from error


async def read_form(request: web.Request) -> UserForm:
    """Read the body. Raises Refused."""
    try:
        return UserForm.model_validate(await request.json())
    except (ValueError, ValidationError) as error:
        raise Refused(400, "bad_json", "Could not parse request body as JSON") from error


def read_id(request: web.Request) -> UUID:
    """Read the id in the path. Raises Refused."""
    try:
        return UUID(request.match_info["id"])
    except ValueError as error:
        raise Refused(404, "validation_failed", "user_id must be an UUID") from error


def banned_until(duration: str | None) -> dt.datetime | None:
    """When a ban of ``1h30m`` ends; None for ``none``. Raises Refused."""
    if duration is None or duration == "none":
        return None
    if not re.fullmatch(f"(?:{DURATION.pattern})+", duration):
        raise Refused(400, "validation_failed", f"invalid format for ban duration: {duration}")
    seconds = sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(duration))
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)


async def read_users(connection: psycopg.AsyncConnection[Any], ids: list[UUID]) -> list[Any]:
    """Users as Auth prints them, the newest first."""
    cursor = await connection.execute(query("user_read"), {"ids": ids})
    return [row[0] for row in await cursor.fetchall()]


async def read_user(connection: psycopg.AsyncConnection[Any], user_id: UUID) -> Any:
    """One user. Raises Refused when there is none."""
    users = await read_users(connection, [user_id])
    if not users:
        raise Refused(404, "user_not_found", "User not found")
    return users[0]
