-- stickers: what the next release adds, to show that an upgrade can.

create table chat.stickers (
  sticker_id uuid primary key default gen_random_uuid(),
  tenant_id uuid not null references chat.tenants,
  name text not null,
  constraint name_is_short check (char_length(name) <= 40)
);

comment on table chat.stickers is 'Pictures that a tenant has for everybody in it.';

create index stickers_by_tenant on chat.stickers (tenant_id);

alter table chat.stickers enable row level security;

create policy "members read the stickers of their tenant" on chat.stickers
  for select to authenticated
  using (chat_private.is_tenant_member(tenant_id));

revoke all on chat.stickers from anon, authenticated, service_role;
grant select on chat.stickers to authenticated, service_role;
