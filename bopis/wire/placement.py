"""Which partition a key belongs in, by the default rule of Apache Kafka's clients, and the check that it is there.

Source of the rule: ``DefaultPartitioner`` of Apache Kafka's Java client, ``toPositive(murmur2(key)) % partitions``.
Two partitions must never hold books of one store or one order, so a record whose subject belongs elsewhere is refused.
"""

from functools import lru_cache

from bopis.wire.errors import Misplaced

SUBJECTS_CACHED_MAX = 100_000
KEY_SHOWN_MAX = 80

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 of some bytes, unsigned, with Kafka's seed."""
    length = len(data)
    digest = (_SEED ^ length) & _MASK
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        word ^= word >> 24
        digest = (digest * _M & _MASK) ^ (word * _M & _MASK)
    if tail := data[whole:]:
        digest = (digest ^ int.from_bytes(tail, "little")) * _M & _MASK
    digest ^= digest >> 13
    digest = digest * _M & _MASK
    return digest ^ digest >> 15


@lru_cache(SUBJECTS_CACHED_MAX)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key in a topic with this many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class Placement:
    """One partition of a keyed topic. With no number of partitions, every subject belongs in it.

    `belonging` are subjects that were found to belong in it, so that each is hashed once.
    """

    __slots__ = ("_partitions", "belonging", "partition")

    def __init__(self, partition: int = 0, partitions: int = 0) -> None:
        self.partition = partition
        self._partitions = partitions
        self.belonging: set[str] = set()

    def check(self, subject: str, key: bytes | None) -> None:
        """Raise `Misplaced` for a record whose subject belongs in another partition; `key` is the record's."""
        if subject in self.belonging or not self._partitions:
            return
        home = partition_of(subject.encode(), self._partitions)
        if home != self.partition:
            raise Misplaced(self._explain(subject, home, key))
        if len(self.belonging) >= SUBJECTS_CACHED_MAX:
            self.belonging.clear()
        self.belonging.add(subject)

    def check_elsewhere(self, subject: str) -> None:
        """Raise `Misplaced` for a message that is only meant for partitions that a subject does not belong in."""
        if self._partitions and partition_of(subject.encode(), self._partitions) == self.partition:
            raise Misplaced(f"{subject!r} belongs in partition {self.partition}: its rows here are not dropped")

    def _explain(self, subject: str, home: int, key: bytes | None) -> str:
        usual = "publish with the partitioner murmur2 (librdkafka and its bindings: partitioner=murmur2_random)"
        if key != subject.encode():
            shown = "empty" if not key else repr(key[:KEY_SHOWN_MAX].decode(errors="replace"))
            usual = f"the record's key must be the subject, it is {shown}"
        return (
            f"{subject!r} belongs in partition {home} of {self._partitions}, the record is in partition "
            f"{self.partition}: {usual}"
        )


ANYWHERE = Placement()
