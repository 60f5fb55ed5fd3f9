"""What can go wrong on the way to the log. Each docstring is the message and says what to do next.

AdapterError
+-- NothingRuns         the embedded log is not up
+-- LogUnavailable      nobody answers at the log's address
+-- TopicMissing        the topic is not there
+-- RecordTooLarge      the log takes no record of this size
+-- NotAcknowledged     whether the record is in the log is not known
+-- NotAnswered         the log did not answer a question in time
+-- LogRefused          the log answered with an error
+-- SettingRefused      a topic cannot be as asked
+-- CopyMisplaced       somebody else writes where topics are copied to
+-- ReadStalled         the log stopped sending records
+-- HoursUnreadable     a store's opening hours cannot be read
+-- BrokerAddressBroken the setting `broker` is no address
+-- SecurityFileBroken  a file of a password, certificate or key cannot be used
+-- RightMissing        the log's access rules do not allow it
+-- ShutOut             the log does not let this process in
    +-- LoginRefused        wrong name or password
    +-- MechanismRefused    the log knows other ways to log in
    +-- LoginWanted         the log asks for a login
    +-- LoginUnknown        the log has no login
    +-- TlsWanted           the log speaks TLS at this port
    +-- TlsUnknown          the log speaks plain text at this port
    +-- TlsBroken           TLS came to nothing for another reason
    +-- CertificateUntrusted nobody that is trusted has signed the log's certificate
    +-- HostNameDiffers     the log's certificate is for another name
    +-- CertificateRefused  the log does not accept this client's certificate
"""

from typing import ClassVar


class AdapterError(Exception):
    """Something outside did not do what was asked of it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class NothingRuns(AdapterError):
    """No log is running on {data_dir}. Start it with `bopis up`, or name another place with --data-dir or
    --broker."""

    exit_code = 69


class LogUnavailable(AdapterError):
    """The log at {address} does not answer ({cause}). Check that it runs (`bopis doctor`), then try again."""

    exit_code = 69


class TopicMissing(AdapterError):
    """Topic {topic} does not exist in the log. `bopis up` creates the topics; for another prefix give --prefix."""

    exit_code = 69


class RecordTooLarge(AdapterError):
    """The log takes no record of this size on topic {topic}. Send it in parts."""

    exit_code = 5


class NotAcknowledged(AdapterError):
    """The log did not acknowledge the record on topic {topic} in time, so it may or may not be there. Repeat the
    command with the same --id: what arrived already is not taken twice."""

    exit_code = 75


class NotAnswered(AdapterError):
    """The log did not answer in time ({cause}). Try again; `bopis doctor` checks the log."""

    exit_code = 75


class LogRefused(AdapterError):
    """The log refused: {cause}. Look at the log's own messages, then try again."""


class SettingRefused(AdapterError):
    """Topic {topic} cannot be as asked: {cause}. Correct the setting."""

    exit_code = 5


class HoursUnreadable(AdapterError):
    """The opening hours {hours!r} in zone {zone!r} cannot be read. Import the store again: bopis stores import FILE."""

    exit_code = 5


class CopyMisplaced(AdapterError):
    """A copied record got offset {offset} of {topic} partition {partition} instead of {expected}: somebody else writes
    there, too. Stop that, then repeat with --anew."""

    exit_code = 4


class ReadStalled(AdapterError):
    """The log has sent nothing for {seconds} s although records are missing up to offset {end} of {topic}
    partition {partition}. Check the log with `bopis doctor`, then try again."""

    exit_code = 75


class BrokerAddressBroken(AdapterError):
    """{broker!r} is no address of a log. Write 'embedded', or kafka://HOST:PORT[,HOST:PORT]; a login is set by
    broker_username and broker_password."""

    exit_code = 2


class SecurityFileBroken(AdapterError):
    """{setting}: {file} cannot be used ({cause}). Name a file that this user can read."""

    exit_code = 78


class RightMissing(AdapterError):
    """The log's access rules do not give this user the right {right}. An operator grants it: `bopis topics acls`
    shows what each part needs, and with --commands how to say it to Apache Kafka."""

    exit_code = 78


class ShutOut(AdapterError):
    """The log at {address} does not let this process in."""

    exit_code = 78


class LoginRefused(ShutOut):
    """The log at {address} refused the login of {username!r}: wrong name or password. Check broker_username and
    broker_password (or broker_password_file)."""


class MechanismRefused(ShutOut):
    """The log at {address} does not let anybody log in by {mechanism}, only by {offered}. Set broker_sasl_mechanism
    to one of those."""


class LoginWanted(ShutOut):
    """The log at {address} asks for a login. Set broker_security to {security}, and broker_username and
    broker_password."""


class LoginUnknown(ShutOut):
    """The log at {address} has no login at this port. Set broker_security to {security}, or name the port that asks
    for a login."""


class TlsWanted(ShutOut):
    """The log at {address} speaks TLS at this port, and plain text was tried. Set broker_security to sasl_ssl (with a
    login) or ssl (without one)."""


class TlsUnknown(ShutOut):
    """The log at {address} speaks plain text at this port, and TLS was tried. Name its TLS port in broker; only on a
    network of your own set broker_security to {security}."""


class TlsBroken(ShutOut):
    """TLS with the log at {address} came to nothing: {cause}. Compare the versions and ciphers of both sides."""


class CertificateUntrusted(ShutOut):
    """The certificate of the log at {address} is not trusted: {cause}. Set broker_ca_file to the authority that
    signed it."""


class HostNameDiffers(ShutOut):
    """The certificate of the log at {address} is for another host: {cause}. Name the log in broker as its certificate
    does, or have one made for this name."""


class CertificateRefused(ShutOut):
    """The log at {address} does not accept this client's certificate: {cause}. Set broker_cert_file and
    broker_key_file to a pair that the log trusts."""
