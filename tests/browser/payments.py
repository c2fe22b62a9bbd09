"""A table of an app, payments, which travels into the copies of whoever is in their tenant."""

from __future__ import annotations

import asyncio
import random
from typing import Any, LiteralString

import psycopg

from tests.browser.chat_people import act_as

NAME = "public.payments"
MAKE: LiteralString = """
create table public.payments (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  status text not null default 'open',
  amount numeric not null default 10,
  is_secret boolean not null default false
);
create index payments_by_tenant on public.payments (tenant_id, id);
alter table public.payments enable row level security;
grant select on public.payments to authenticated;
create policy "members read payments" on public.payments for select to authenticated using (
  not is_secret and tenant_id in (
    select t.tenant_id from chat.tenant_members as t
    where t.user_id = (select auth.uid()) and t.removed_at is null
  )
);
select chat_private.stream_table('public.payments', owner_column => 'tenant_id');
"""
FORGET: LiteralString = """
select chat_private.unstream_table('public.payments');
drop table public.payments;
"""
SHOWN = "select to_jsonb(p) from public.payments as p order by p.id"
PAY = (
    "insert into public.payments (tenant_id, amount) select %s, n from generate_series(1, %s) as n"
)
WRITES: tuple[LiteralString, ...] = (
    "insert into public.payments (tenant_id, amount)"
    " select %(one)s, n from generate_series(1, 40) as n",
    "update public.payments set status = 'paid', amount = amount + 1 where random() < 0.3",
    "update public.payments set is_secret = not is_secret where random() < 0.1",
    "update public.payments set tenant_id = %(other)s where tenant_id = %(one)s and random() < 0.2",
    "delete from public.payments where random() < 0.1",
)


def shown(db_url: str, user_id: str) -> list[dict[str, Any]]:
    """What row level security shows somebody."""
    with psycopg.connect(db_url) as connection:
        act_as(connection, user_id)
        return [row for (row,) in connection.execute(SHOWN)]


async def keep_paying(db_url: str, tenants: list[str]) -> None:
    """Change payments of two tenants as an app's server does, until cancelled."""
    rng = random.Random()
    while True:
        one, other = rng.sample(tenants, 2)
        try:
            async with await psycopg.AsyncConnection.connect(db_url) as connection:
                for write in rng.sample(WRITES, rng.randint(1, 3)):
                    await connection.execute(write, {"one": one, "other": other})
                    # What others commit meanwhile has a later number, and is seen before.
                    await asyncio.sleep(rng.expovariate(10))
        except psycopg.OperationalError:
            # (Postgres was killed.)
            await asyncio.sleep(0.2)
