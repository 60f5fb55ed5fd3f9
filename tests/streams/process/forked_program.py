"""A program for tests of the fork server: it does what its first argument names."""

import json
import os
import signal
import sys
import time

if __name__ == "__main__":
    match sys.argv[1:]:
        case ["tell", *words]:
            here = {"words": words, "directory": os.getcwd(), "session": os.getsid(0) == os.getpid()}
            print(json.dumps({**here, "json": "json" in sys.modules, "file": sys.modules["__main__"].__name__}))
        case ["end", code]:
            sys.exit(int(code))
        case ["fall"]:
            raise RuntimeError("fell")
        case ["wait"]:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
            print("ready", flush=True)
            time.sleep(120)
