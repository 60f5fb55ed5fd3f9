"""Access rules in a secured cluster: the product's own table, said to Apache Kafka."""

from collections.abc import Iterable, Iterator

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from bopis.topics.access import Operation, Resource, Rule
from deploy.kafka.errors import RulesRefused

_RESOURCES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
ANY_HOST = "*"


def grant(admin: KafkaAdminClient, rules: Iterable[Rule]) -> None:
    """Allow what the rules say; what is allowed already stays so. Raises RulesRefused."""
    failed = admin.create_acls([it for rule in rules for it in _lines(rule, rule.operations)])["failed"]
    if failed:
        raise RulesRefused([it.__name__ for it in failed])


def revoke(admin: KafkaAdminClient, rule: Rule, operation: Operation) -> None:
    """Take one operation of a rule away. Raises RulesRefused."""
    for _, _, error in admin.delete_acls(list(_lines(rule, (operation,)))):
        if error.errno:
            raise RulesRefused([error.__name__])


def _lines(rule: Rule, operations: Iterable[Operation]) -> Iterator[ACL]:
    pattern = ACLResourcePatternType.PREFIXED if rule.prefixed else ACLResourcePatternType.LITERAL
    for operation in operations:
        yield ACL(
            principal=rule.principal,
            host=ANY_HOST,
            operation=ACLOperation[operation.name],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(_RESOURCES[rule.resource], rule.name, pattern),
        )
