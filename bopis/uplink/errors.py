"""Errors of the uplink. Each docstring is the message.

UplinkError
+-- CentreUnreachable    nothing answers
+-- CentreBusy           it asks to wait
+-- CredentialRefused    it does not accept the key
+-- KeyWithoutCopy       it does not give the shop's orders to the key
+-- StoreRefused         the key, or the centre, does not know the store
+-- CentreRefused        it answered with another error
+-- KeyUnreadable        the file with the key cannot be read
"""

from bopis.errors import CONFIGURATION, UNAVAILABLE, BopisError


class UplinkError(BopisError):
    """The centre did not take the messages."""

    exit_code = UNAVAILABLE
    # How long the other side asked to wait, in seconds.
    wait_seconds: float = 0.0


class CentreUnreachable(UplinkError):
    """{address} does not answer: {cause}. Everything is kept, and sent when it answers."""


class CentreBusy(UplinkError):
    """{address} asks to wait ({status}). Everything is kept, and sent later."""

    def __init__(self, *, wait_seconds: float, **facts: object) -> None:
        super().__init__(**facts)
        self.wait_seconds = wait_seconds


class CredentialRefused(UplinkError):
    """{address} does not accept the key of this store ({status}). Create a key with
    bopis keys create NAME --role store-agent --store STORE, and write it to the file in agent_key_file."""

    exit_code = CONFIGURATION


class KeyWithoutCopy(UplinkError):
    """{address} does not give the shop's orders to the key of this store ({status}). Create a key with
    bopis keys create NAME --role store-agent --store STORE, and write it to the file in agent_key_file."""

    exit_code = CONFIGURATION


class StoreRefused(UplinkError):
    """{address} does not take messages of store {store}: {cause}. Correct agent_store, or give the store a key of its
    own; everything is kept meanwhile."""

    exit_code = CONFIGURATION


class CentreRefused(UplinkError):
    """{address} answered {status}: {cause}. Check agent_url; everything is kept meanwhile."""


class KeyUnreadable(UplinkError):
    """agent_key_file: {file} cannot be read ({cause}). Write the key of this store to it, readable by this user
    only."""

    exit_code = CONFIGURATION
