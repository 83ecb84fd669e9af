"""`wsgi.errors`: text that the application wants in the error log."""

import logging
from collections.abc import Iterable


class ErrorStream:
    """A text stream onto the error log's handlers. Any thread; closing it does nothing.

    It asks the logger for its handlers each time, so it goes on after the log was rotated.
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def write(self, text: str) -> int:
        """Write text as it is. Any character is taken; what the log's encoding lacks is escaped."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__} (PEP 3333)")
        for handler in self._logger.handlers:
            stream = getattr(handler, "stream", None)
            if stream is None:
                continue
            encoding = getattr(stream, "encoding", None) or "utf-8"
            handler.acquire()
            try:
                stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            except (OSError, ValueError):
                pass  # a full disk or a closed log must not hurt a request
            finally:
                handler.release()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        for handler in self._logger.handlers:
            try:
                handler.flush()
            except (OSError, ValueError):
                pass

    def close(self) -> None:
        """Nothing: the stream is the server's."""
