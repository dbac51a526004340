"""The command line. ``main`` never lets a traceback out: one sentence and an exit code instead."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from tacit.cli.output import debugging, fail, first, say
from tacit.errors import InputError, Interrupted, TacitError, suggest

__all__ = ["main"]

PATIENCE = 15.0
"""Seconds that a failing rank leaves the first one to say the same error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    0 well; 1 an error that is no one's input; 2 input that cannot be used (nothing was written); 3 the run diverged;
    130 or 143 interrupted and saved. ``TACIT_DEBUG=1`` shows tracebacks.

    >>> main(["--version"])  # doctest: +ELLIPSIS
    tacit 0...
    0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with _warnings():
            return _run(words)
    except TacitError as e:
        if debugging():
            _traceback()
        fail(str(e))
        # A signal stops all ranks at once: the first has said so, and none has to be waited for.
        if not isinstance(e, Interrupted):
            _first_speaks(str(e))
        return int(e.exit_code)
    except KeyboardInterrupt:
        fail("stopped by SIGINT before a run had begun; nothing was saved")
        return 130
    except BrokenPipeError:
        # The reader of a pipe went away: not an error of ours, and Python must not complain at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        return _unexpected(e)
    finally:
        _leave()


def _run(words: list[str]) -> int:
    from tacit.cli.app import ORDER, build
    from tacit.cli.spec import fold

    words = [fold(w) for w in words]
    if words and not words[0].startswith("-") and words[0] not in ORDER:
        near = suggest(words[0].lower(), ORDER)
        near = f"{near} See" if near else f"; expected one of: {', '.join(ORDER)}; see"
        raise InputError(f"there is no command '{words[0]}'{near} tacit --help")
    app = build(words)
    try:
        result = app(words, standalone_mode=False, prog_name="tacit")
    except Exception as e:
        if not hasattr(e, "format_message"):
            raise
        raise _usage(e, words) from None
    return int(result or 0)


def _usage(e: Any, words: list[str]) -> InputError:
    """A usage error in the project's own words."""
    who = f"tacit {words[0]}" if words and not words[0].startswith("-") else "tacit"
    if who == "tacit fit":
        from tacit.cli.fit import positional

        who = " ".join([who, *positional(words[1:])[:1]])
    kind, message = type(e).__name__, " ".join(e.format_message().split())
    if kind == "NoSuchOption":
        name = e.option_name
        command = e.ctx.command if getattr(e, "ctx", None) else None
        known = [
            o
            for p in getattr(command, "params", ())
            if not getattr(p, "hidden", False)
            for o in getattr(p, "opts", ())
            if o.startswith("--")
        ]
        near = suggest(name, known)
        return InputError(
            f"{who} has no option '{name}'{near + ' See' if near else '; expected one that its help lists; see'} {who} --help"
        )
    if kind == "BadOptionUsage":
        return InputError(
            f"{who} got {getattr(e, 'option_name', 'an option')} without a value; expected one after it; see {who} --help"
        )
    if kind == "MissingParameter":
        from tacit.cli.spec import lower

        wanted = lower(getattr(e.param, "help", "") or "one")
        return InputError(f"{who} got no {getattr(e.param, 'metavar', None) or 'argument'}; expected {wanted}; see {who} --help")
    extra = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", message)
    if extra:
        return InputError(f"{who} got '{extra[1]}' too many; expected fewer arguments; see {who} --help")
    return InputError(f"{who}: {message.rstrip('.')}; see {who} --help")


def _unexpected(e: Exception) -> int:
    if debugging():
        _traceback()
    what = " ".join(str(e).split())[:300] or "no message"
    if isinstance(e, OSError) and e.strerror:
        what = f"{e.strerror.lower()}: {e.filename}" if e.filename else e.strerror.lower()
    text = f"error: something unexpected happened ({type(e).__name__}: {what}); run it again with TACIT_DEBUG=1 to see where"
    say(text)
    _first_speaks(text.removeprefix("error: "))
    return 1


def _first_speaks(message: str) -> None:
    """Another rank that fails waits before it ends: its end makes torchrun stop the first, which may be about to say the same.

    torchrun stops the waiting rank as soon as the first has ended. A rank that outlives the wait failed alone, and speaks.
    """
    if not first():
        time.sleep(PATIENCE)
        print(f"rank {os.environ['RANK']}: error: " + " ".join(message.split()), file=sys.stderr, flush=True)


def _traceback() -> None:
    import traceback

    traceback.print_exc()


@contextlib.contextmanager
def _warnings() -> Iterator[None]:
    """Warnings of the engine as one line each; those of other libraries' futures not at all."""

    def show(message: Any, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, RuntimeWarning | UserWarning):
            say("warning: " + " ".join(str(message).split()))

    with warnings.catch_warnings():
        if not debugging():
            warnings.showwarning = show
        yield


def _leave() -> None:
    """Leave the process group that torchrun announced, if it was joined."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized() and "RANK" in os.environ:
        with contextlib.suppress(Exception):
            distributed.destroy_process_group()
