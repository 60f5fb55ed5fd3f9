"""Change the store of an order."""

from typing import Annotated

import typer

from bopis.cli.app.completion import COMPLETE_STORES
from bopis.cli.app.context import AsJson, MessageId, open_context
from bopis.cli.app.errors import Usage
from bopis.cli.order.lookup import OrderNumber
from bopis.cli.order.session import order_session, presentation_of, print_reply, require_store
from bopis.domain.orders.messages import MoveOrder
from bopis.domain.orders.vocabulary import Initiator
from bopis.domain.values import TEXT_LENGTH_MAX


def move(
    context: typer.Context,
    order: OrderNumber,
    store: Annotated[
        str, typer.Option(metavar="STORE", help="The store that is to have it.", autocompletion=COMPLETE_STORES)
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; required unless the customer wishes it.")] = "",
    customer: Annotated[bool, typer.Option("--customer", help="The customer wishes it.")] = False,
    message_id: MessageId = None,
    as_json: AsJson = False,
) -> None:
    """Change the store of an order before any of it is picked.

    The new store holds all open lines before the old one releases them. When it cannot have them, or picking has
    begun, the order stays as it is and the command ends with exit code 4.

    Examples:
        bopis order move 7K3M --store 367 --customer
        bopis order move 7K3M --store 367 --reason "cold room broken" --json
    """
    why = reason.strip()
    if not why and not customer:
        raise Usage(problem="Give --reason TEXT, or --customer if the customer wishes it.")
    if len(why) > TEXT_LENGTH_MAX:
        raise Usage(problem=f"A reason has at most {TEXT_LENGTH_MAX} characters.")
    ctx = open_context(context, as_json)
    with order_session(ctx) as session:
        found = session.order(order)
        require_store(ctx, session.reader, store)
        by = Initiator.CUSTOMER if customer else Initiator.STAFF
        body = MoveOrder(store=store, by=by, reason=why)
        catalogue = presentation_of(session.reader, found.store).catalogue
        print_reply(session, session.desk.move(found.order, body, message_id, catalogue))
