"""Work done ahead in a process of its own, for which a second core has time."""

import io
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from multiprocessing import get_context
from typing import Any

__all__ = ["beside"]


@contextmanager
def beside(work: Callable[..., Any], *arguments: Any) -> Iterator[None]:
    """Do ``work(*arguments)`` in another process while the body runs, and wait for its end behind the body.

    ``work`` is a function of a module that keeps its result on the disk, so that the same call here finds it there. It
    shows nothing and its errors are not told: the same call here meets them again. If the body fails, it is stopped.
    """
    process = get_context("spawn").Process(target=_work, args=(work, arguments), daemon=True)
    process.start()
    try:
        yield
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()


def _work(work: Callable[..., Any], arguments: tuple) -> None:
    # As an exception, so that what was begun is put away: programs that run, temporary folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with redirect_stderr(io.StringIO()), suppress(Exception, KeyboardInterrupt):
        work(*arguments)
