"""An order opens a room: the customer, somebody of support and a bot, and the shop tells the news.

    export SUPABASE_URL=… SUPABASE_SERVICE_KEY=…
    python examples/order_room.py 4711 CUSTOMER_ID SUPPORT_ID BOT_ID

All three are in one tenant. The room belongs to support: as that person the server opens it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from uuid import UUID, uuid5

import parley


async def main(order: str, customer: UUID, support: UUID, bot: UUID) -> None:
    """Open the room, let the bot greet, and say that the order was shipped; print the room's id."""
    async with parley.server(
        os.environ["SUPABASE_URL"], os.environ["SUPABASE_SERVICE_KEY"]
    ) as server:
        as_support = server.acting_as(support)
        room = await as_support.create_room(f"Order {order}", member_ids=[customer])
        await as_support.add_member(room.id, bot, label="assistant")
        await server.acting_as(bot).send_message(
            room.id, f"Hello! Ask me anything about order {order}.", uuid5(room.id, "greeting")
        )
        await server.api.post_system_message(room.id, "order_shipped", about=[customer])
        print(room.id)


if __name__ == "__main__":
    number, *people = sys.argv[1:]
    asyncio.run(main(number, *(UUID(each) for each in people)))
