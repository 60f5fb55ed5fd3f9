"""Errors of the connection to the log and of other adapters. Each docstring is the message.

AdapterError
+-- EmbeddedLogNotRunning  the embedded log does not run
+-- LogUnavailable         nothing answers at the log's address
+-- TopicMissing           the topic does not exist
+-- RecordTooLarge         the record exceeds the log's limit
+-- NotAcknowledged        whether the record is in the log is unknown
+-- NotAnswered            the log did not answer a request in time
+-- RequestRefused         the log answered with an error
+-- SettingRefused         the log refuses a topic's setting
+-- CopyMisplaced          another writer appends where topics are copied to
+-- ReadStalled            the log stopped sending records
+-- OpeningHoursInvalid    a store's opening hours cannot be parsed
+-- ParquetMissing         the package that writes Parquet files is not installed
+-- BrokerAddressInvalid   the setting `broker` is not an address
+-- SecurityFileInvalid    a file with a password, certificate or key cannot be used
+-- AccessDenied           the log's access rules do not allow the request
+-- ConnectionRejected     the log rejects connections of this process
    +-- LoginRefused           wrong name or password
    +-- MechanismRefused       the log supports other SASL mechanisms
    +-- LoginRequired          the log requires a login
    +-- LoginNotSupported      the log has no login
    +-- TlsRequired            the log speaks TLS at this port
    +-- TlsNotSupported        the log speaks plain text at this port
    +-- TlsFailed              the TLS handshake failed for another reason
    +-- CertificateUntrusted   the log's certificate is not signed by a trusted authority
    +-- HostNameDiffers        the log's certificate is for another host name
    +-- CertificateRefused     the log rejects this client's certificate
"""

from bopis.errors import CONFIGURATION, CONFLICT, INVALID_INPUT, TRY_AGAIN, UNAVAILABLE, USAGE, BopisError


class AdapterError(BopisError):
    """A request to an outside system failed."""


class EmbeddedLogNotRunning(AdapterError):
    """No log is running on {data_dir}. Start it with `bopis up`, or give another log with --data-dir or --broker."""

    exit_code = UNAVAILABLE


class LogUnavailable(AdapterError):
    """The log at {address} does not answer ({cause}). Check that it runs (`bopis doctor`), then try again."""

    exit_code = UNAVAILABLE


class TopicMissing(AdapterError):
    """Topic {topic} does not exist in the log. `bopis up` creates topics; for another prefix give --prefix."""

    exit_code = UNAVAILABLE


class RecordTooLarge(AdapterError):
    """The record is too large for topic {topic}. Split it."""

    exit_code = INVALID_INPUT


class NotAcknowledged(AdapterError):
    """The log did not acknowledge the record on topic {topic} in time, so it may or may not be in the log. Repeat the
    command with the same --id: a repeated message counts once."""

    exit_code = TRY_AGAIN


class NotAnswered(AdapterError):
    """The log did not answer in time ({cause}). Try again; `bopis doctor` checks the log."""

    exit_code = TRY_AGAIN


class RequestRefused(AdapterError):
    """The log refused the request: {cause}. Look at the broker's log files, then try again."""


class SettingRefused(AdapterError):
    """The log refuses the settings of topic {topic}: {cause}. Correct the setting."""

    exit_code = INVALID_INPUT


class OpeningHoursInvalid(AdapterError):
    """The opening hours {hours!r} in time zone {zone!r} cannot be parsed. Correct them and import the store again with
    `bopis stores import FILE`."""

    exit_code = INVALID_INPUT


class CopyMisplaced(AdapterError):
    """A copied record got offset {offset} of {topic} partition {partition} instead of {expected}: another program
    writes to that topic. Stop it, then repeat with --restart."""

    exit_code = CONFLICT


class ReadStalled(AdapterError):
    """The log has sent no record for {seconds} s although {topic} partition {partition} was not read up to its offset
    {end}. Check the log with `bopis doctor`, then try again."""

    exit_code = TRY_AGAIN


class BrokerAddressInvalid(AdapterError):
    """{broker!r} is not the address of a log. Write 'embedded', or kafka://HOST:PORT[,HOST:PORT]; set a login with
    broker_username and broker_password."""

    exit_code = USAGE


class SecurityFileInvalid(AdapterError):
    """{setting}: {file} cannot be used ({cause}). Give a valid file that this user can read."""

    exit_code = CONFIGURATION


class AccessDenied(AdapterError):
    """The log's access rules do not give this user the right {right}. An operator can grant it: `bopis topics acls`
    lists the rights of each part, with --commands as commands of Apache Kafka."""

    exit_code = CONFIGURATION


class ConnectionRejected(AdapterError):
    """The log at {address} rejects the connection."""

    exit_code = CONFIGURATION


class LoginRefused(ConnectionRejected):
    """The log at {address} refused the login of {username!r}: wrong name or password. Check broker_username and
    broker_password (or broker_password_file)."""


class MechanismRefused(ConnectionRejected):
    """The log at {address} rejects SASL mechanism {mechanism}; it supports {offered}. Set broker_sasl_mechanism to one
    of those."""


class LoginRequired(ConnectionRejected):
    """The log at {address} requires a login. Set broker_security to {security}, and broker_username and
    broker_password."""


class LoginNotSupported(ConnectionRejected):
    """The log at {address} has no login at this port. Set broker_security to {security}, or give the port that
    requires a login."""


class TlsRequired(ConnectionRejected):
    """The log at {address} speaks TLS at this port, and plain text was tried. Set broker_security to sasl_ssl (with a
    login) or ssl (without one)."""


class TlsNotSupported(ConnectionRejected):
    """The log at {address} speaks plain text at this port, and TLS was tried. Give its TLS port in broker; on a
    private network you may set broker_security to {security} instead."""


class TlsFailed(ConnectionRejected):
    """The TLS handshake with the log at {address} failed: {cause}. Compare the TLS versions and ciphers of both
    sides."""


class CertificateUntrusted(ConnectionRejected):
    """The certificate of the log at {address} is not trusted: {cause}. Set broker_ca_file to the authority that
    signed it."""


class HostNameDiffers(ConnectionRejected):
    """The certificate of the log at {address} is for another host: {cause}. Set broker to the host name in the
    certificate, or issue a certificate for this name."""


class CertificateRefused(ConnectionRejected):
    """The log at {address} rejects this client's certificate: {cause}. Set broker_cert_file and broker_key_file to a
    pair that the log trusts."""


class ParquetMissing(AdapterError):
    """Parquet files need the package pyarrow, which is not installed. Install it with `pip install bopis[parquet]`, or
    take the same table as CSV."""

    exit_code = CONFIGURATION
