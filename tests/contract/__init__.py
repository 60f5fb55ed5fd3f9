"""What every engine owes its clients: one suite, run against each."""

import warnings

with warnings.catch_warnings():
    # kafka-python reads its schemas through a function that Python 3.11 calls old; it does so once, at import.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol.admin
    import kafka.protocol.consumer
    import kafka.protocol.metadata
    import kafka.protocol.producer  # noqa: F401
