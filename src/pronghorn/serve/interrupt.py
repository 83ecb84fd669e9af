"""An exception in another thread, where the interpreter can do that (CPython).

    interrupt(ident, RequestTimeout)    raised there as soon as that thread runs Python code again
    interrupt(ident, None)              not after all, if it has not been raised yet

Imported only where it is needed: ctypes costs a server some memory.
"""

from pronghorn.serve.deadlines import Interrupt

interrupt: Interrupt | None
"""None where the interpreter has no such thing."""

try:
    import ctypes

    # A function object of our own: what others do to ctypes.pythonapi's is no concern of ours. It keeps the
    # interpreter locked meanwhile, and so does a thread that clears its own.
    _set = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )
except (ImportError, AttributeError):
    interrupt = None
else:

    def _interrupt(thread: int, exception: type[BaseException] | None) -> None:
        """Any thread. thread: its identifier; nothing happens if it has ended."""
        _set(thread, ctypes.py_object() if exception is None else ctypes.py_object(exception))

    interrupt = _interrupt
