"""Rules between the security settings of the log: a partial set would be ignored silently, or fail later."""

from bopis.setting_groups.log import EMBEDDED, LogSettings

SASL_SETTINGS = ("broker_username", "broker_password", "broker_password_file")
TLS_SETTINGS = ("broker_ca_file", "broker_cert_file", "broker_key_file")


def security_problem(settings: LogSettings) -> str:
    """The first error in the security settings, with the setting to change; empty if there is none."""
    sasl, tls = settings.broker_security.startswith("sasl"), settings.broker_security.endswith("ssl")
    named = {name: bool(getattr(settings, name)) for name in (*SASL_SETTINGS, *TLS_SETTINGS)}
    login = [name for name in SASL_SETTINGS if named[name]]
    files = [name for name in TLS_SETTINGS if named[name]]
    problems = {
        "broker_security: the embedded log is for this machine only and speaks plain text; remove broker_security, or "
        "set broker to an Apache Kafka": settings.broker == EMBEDDED and settings.broker_security != "plaintext",
        f"{', '.join(login)}: not used with broker_security {settings.broker_security}; set it to sasl_ssl "
        "(or sasl_plaintext), or remove the login": bool(login) and not sasl,
        f"{', '.join(files)}: not used with broker_security {settings.broker_security}; set it to sasl_ssl or ssl, or "
        "remove the files": bool(files) and not tls,
        f"broker_username: broker_security {settings.broker_security} needs a name to log in with": sasl
        and not settings.broker_username,
        f"broker_password: broker_security {settings.broker_security} needs a password: set broker_password, or "
        "broker_password_file to a file that contains it": sasl
        and not (named["broker_password"] or named["broker_password_file"]),
        "broker_password: set either it or broker_password_file, not both": named["broker_password"]
        and named["broker_password_file"],
        "broker_key_file: a key goes with its certificate; set broker_cert_file, too": named["broker_key_file"]
        and not named["broker_cert_file"],
    }
    return next((problem for problem, holds in problems.items() if holds), "")
