"""A uvicorn server whose program handles the signals: the library's own handling would end the process its way."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import uvicorn


class HttpServer(uvicorn.Server):
    """The library's server, which leaves the signals to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve_until_signal(self, listener: socket.socket) -> None:
        """Serve on a socket until SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        await self.serve(sockets=[listener])
