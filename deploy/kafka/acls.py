"""Access rules of a secured cluster, made from the product's own table of rights."""

import time
from collections.abc import Iterable, Iterator

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from bopis.topics.acls import AccessRule, Operation, Resource
from deploy.kafka.errors import RulesRefused

_RESOURCES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
ANY_HOST = "*"
EFFECT_SECONDS_MAX = 60.0
_ANYTHING = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
_EVERY = ACLFilter(
    principal=None,
    host=None,
    operation=ACLOperation.ANY,
    permission_type=ACLPermissionType.ANY,
    resource_pattern=_ANYTHING,
)


def grant(admin: KafkaAdminClient, rules: Iterable[AccessRule]) -> None:
    """Add the rules, and wait until they are in effect. Existing rules stay. Raises RulesRefused."""
    lines = [it for rule in rules for it in _lines(rule, rule.operations)]
    failed = admin.create_acls(lines)["failed"]
    if failed:
        raise RulesRefused([it.__name__ for it in failed])
    # The rules are in the cluster's metadata log now; the node that is asked next may not have read them yet.
    wanted = {_facts(it) for it in lines}
    end = time.monotonic() + EFFECT_SECONDS_MAX
    while not wanted <= {_facts(it) for it in admin.describe_acls(_EVERY)[0]}:
        if time.monotonic() > end:
            raise RulesRefused([f"they had no effect after {EFFECT_SECONDS_MAX:.0f} s"])
        time.sleep(0.2)


def revoke(admin: KafkaAdminClient, rule: AccessRule, operation: Operation) -> None:
    """Remove one operation of a rule. Raises RulesRefused."""
    for _, _, error in admin.delete_acls(list(_lines(rule, (operation,)))):
        if error.errno:
            raise RulesRefused([error.__name__])


def _lines(rule: AccessRule, operations: Iterable[Operation]) -> Iterator[ACL]:
    pattern = ACLResourcePatternType.PREFIXED if rule.prefixed else ACLResourcePatternType.LITERAL
    for operation in operations:
        yield ACL(
            principal=rule.principal,
            host=ANY_HOST,
            operation=ACLOperation[operation.name],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(_RESOURCES[rule.resource], rule.name, pattern),
        )


def _facts(line: ACL) -> tuple[object, ...]:
    pattern = line.resource_pattern
    return line.principal, line.operation, pattern.resource_type, pattern.resource_name, pattern.pattern_type
