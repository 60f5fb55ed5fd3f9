"""Sessions of browsers: who signed in."""

import secrets

from msgspec import Struct

from bopis.access.roles import Principal, Role

ID_BYTES = 6
# A link that signs in is valid for this long.
LINK_S_MAX = 15 * 60


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a browser signed in as. `id` names the sign-in, and is part of the source of its messages.
    `by_provider`: with an account of the identity provider."""

    id: str
    name: str
    role: Role
    stores: tuple[str, ...] = ()
    order: str = ""
    by_provider: bool = False

    def principal(self) -> Principal:
        """The caller of this session."""
        return Principal(
            name=self.name,
            role=self.role,
            source=f"web/session/{self.id}",
            stores=frozenset(self.stores),
            order=self.order,
            by_cookie=True,
        )


def new_session(
    name: str, role: Role, stores: tuple[str, ...] = (), order: str = "", *, by_provider: bool = False
) -> Session:
    """A session that begins now."""
    identity = secrets.token_hex(ID_BYTES)
    return Session(id=identity, name=name, role=role, stores=stores, order=order, by_provider=by_provider)
