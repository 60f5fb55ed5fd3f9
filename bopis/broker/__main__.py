"""`python -m bopis.broker DATA_DIR [--port N] [--json]`."""

from bopis.broker.main import main

raise SystemExit(main())
