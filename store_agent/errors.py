"""Errors of the store agent. Each docstring is the message.

AgentError
+-- AgentRuns            another agent runs on the same directory
+-- PortTaken            the port for tills is in use
"""

from bopis.errors import CONFIGURATION, TRY_AGAIN, BopisError


class AgentError(BopisError):
    """The store agent cannot do this."""


class AgentRuns(AgentError):
    """An agent already runs on {directory}, as process {owner}. Stop it first, or give this one another --data-dir."""

    exit_code = TRY_AGAIN


class PortTaken(AgentError):
    """Port {port} of the loopback, where tills send to the agent, is in use ({cause}). Set agent_port to another one,
    and give it to the tills."""

    exit_code = CONFIGURATION
