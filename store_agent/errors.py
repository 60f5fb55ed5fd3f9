"""Errors of the store agent. Each docstring is the message.

AgentError
+-- AgentRuns            another agent runs on the same directory
+-- PortTaken            the port for tills is in use
+-- CopyMissing          the agent has no copy of the shop's orders
+-- CopyOld              the copy is older than the policy allows
+-- OrderNotInCopy       the copy has no such open order
+-- NotDoneHere          the order cannot be changed like that in the shop
+-- ProofRefused         code or document do not entitle to the goods
+-- ActionInvalid        the request says something that no action is
"""

from bopis.errors import CONFIGURATION, CONFLICT, INVALID_INPUT, NOT_FOUND, TRY_AGAIN, UNAVAILABLE, BopisError


class AgentError(BopisError):
    """The store agent cannot do this."""


class AgentRuns(AgentError):
    """An agent already runs on {directory}, as process {owner}. Stop it first, or give this one another --data-dir."""

    exit_code = TRY_AGAIN


class PortTaken(AgentError):
    """Port {port} of the loopback, where tills send to the agent, is in use ({cause}). Set agent_port to another one,
    and give it to the tills."""

    exit_code = CONFIGURATION


class CopyMissing(AgentError):
    """The store agent has no copy of this shop's orders. It needs agent_url, agent_copy_seconds above 0, and a key of
    the role store-agent; `bopis agent status` says which."""

    exit_code = UNAVAILABLE


class CopyOld(AgentError):
    """The copy of this shop's orders is {hours:.1f} h old, and agent_offline_hours allows {most:g} h. Hand over on
    paper, and record it when the centre is back."""

    exit_code = UNAVAILABLE


class OrderNotInCopy(AgentError):
    """The copy of {minutes} min ago has no open order {order}. Check the number; a newer order needs the centre."""

    exit_code = NOT_FOUND


class NotDoneHere(AgentError):
    """{order} was not changed: {cause}. [{reason}]"""

    exit_code = CONFLICT


class ProofRefused(AgentError):
    """{order} was not handed over: {cause}. [{reason}]"""

    exit_code = CONFLICT


class ActionInvalid(AgentError):
    """This is no action on an order: {cause}."""

    exit_code = INVALID_INPUT
