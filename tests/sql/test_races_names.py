"""What people are found by when their name changes while they come into a tenant."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from tests.people import overlap, people
from tests.sql.races import Owner


def kept(owner: Owner, tenant_id: UUID) -> set[str]:
    """Return the names under which people of a tenant are found, from each word on."""
    rows = owner.execute(
        "select name_end from chat_private.name_ends where tenant_id = %s", [tenant_id]
    )
    return {name for (name,) in rows}


def test_a_name_that_changes_while_its_person_comes_into_a_tenant_is_found_there(
    database: str, owner: Owner
) -> None:
    with people(database, "Ann", "Bob", "Bob") as (ann, laptop, phone):

        def come_into(tenant_id: UUID) -> None:
            token = ann.call("create_tenant_invite", tenant_id=tenant_id)["token"]
            laptop.call("accept_tenant_invite", token=token)

        def come_into_at_once(tenant_id: UUID) -> None:
            come_into(tenant_id)
            laptop.connection.execute("set constraints all immediate")

        def rename(name: str) -> None:
            phone.call("update_profile", display_name=name)

        clubs = [ann.call("create_tenant", name="Club")["tenant_id"] for _ in range(2)]
        overlap(owner, phone, partial(rename, "Robert"), laptop, partial(come_into, clubs[0]))
        assert kept(owner, clubs[0]) == {"ann", "robert"}
        overlap(
            owner, laptop, partial(come_into_at_once, clubs[1]), phone, partial(rename, "Rob Roy")
        )
        for club in clubs:
            assert kept(owner, club) == {"ann", "rob roy", "roy"}
