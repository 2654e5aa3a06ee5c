"""The command line's entry point: commands, and how errors become one line and an exit code.

A command module holds one function with typer annotations and imports everything heavy inside it.
"""

from __future__ import annotations

import errno
import io
import logging
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated

import typer

from naopt._version import __version__
from naopt.cli.ask import ask
from naopt.cli.baseline import baseline
from naopt.cli.bench import bench
from naopt.cli.common import note
from naopt.cli.device import device_app
from naopt.cli.export import export
from naopt.cli.list_names import list_names
from naopt.cli.prior import prior_app
from naopt.cli.probe import probe
from naopt.cli.proxy import proxy
from naopt.cli.quality import quality
from naopt.cli.ranking import ranking
from naopt.cli.report import report
from naopt.cli.resume import resume
from naopt.cli.search import search
from naopt.cli.show import show
from naopt.cli.table import table_app
from naopt.cli.tell import tell
from naopt.cli.train import train
from naopt.cli.zoo import zoo
from naopt.errors import InputError, NaoptError, RunStoppedError
from naopt.files import NotWrittenError, at_home
from naopt.logs import show_logs

ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Base of all usage errors; typer carries its own copy of click from 0.26 on, and uses the package before."""

DONE, FAILED, USAGE, STOPPED, INTERRUPTED = 0, 1, 2, 3, 130

_REFUSED = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
"""What the system says of a path that was given, wherever that is noticed."""
_BROKEN = (errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What it says of a disk. Any other ``OSError`` is a bug."""

_HOME = re.compile(r"(--[a-z-]+=|)(~(?:/.*)?)", re.DOTALL)

app = typer.Typer(
    name="naopt",
    help="Neural Architecture Optimization: search architectures in a learned continuous space.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"naopt {__version__}")
        raise typer.Exit


@app.callback()
def naopt(
    verbose: Annotated[bool, typer.Option("--verbose", help="Say on standard error what goes on.")] = False,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Neural Architecture Optimization: search architectures in a learned continuous space."""
    if verbose:
        show_logs(logging.INFO)


app.command("search")(search)
app.command("resume")(resume)
app.command("ask")(ask)
app.command("tell")(tell)
app.command("show")(show)
app.command("report")(report)
app.command("train")(train)
app.command("export")(export)
app.command("baseline")(baseline)
app.command("proxy")(proxy)
app.command("bench")(bench)
app.command("quality")(quality)
app.command("probe")(probe)
app.command("ranking")(ranking)
app.command("zoo")(zoo)
app.command("list")(list_names)
app.add_typer(table_app, name="table")
app.add_typer(device_app, name="device")
app.add_typer(prior_app, name="prior")


def run(arguments: Sequence[str]) -> int:
    """Executes one command line.

    Returns:
        0 done; 2 bad usage or input; 3 stopped unfinished, can be resumed; 130 interrupted, with nothing to be resumed;
        1 any other error that naopt raises on purpose, and for disks that fail. All but 0 put one line on standard
        error; paths that the system refuses are bad input. Other exceptions are bugs and pass through.
    """
    try:
        given = [_at_home(a) for a in arguments] or ["--help"]
        code = _command(app)(args=given, prog_name="naopt", standalone_mode=False)
    except InputError as error:
        return _fail(str(error), USAGE)
    except RunStoppedError as error:
        return _fail(str(error), STOPPED)
    except NaoptError as error:
        return _fail(str(error), FAILED)
    except NotWrittenError as error:
        return _fail(error.line, FAILED)
    except OSError as error:
        if error.errno in _REFUSED and error.filename is not None:
            return _fail(str(InputError("path", str(error.filename), error.strerror or "cannot be used")), USAGE)
        if error.errno in _BROKEN:
            return _fail(f"{error.filename or 'standard output or a temporary file'}: {error.strerror}", FAILED)
        raise
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except ClickException as error:
        bare = type(error).__name__ == "NoArgsIsHelpError"  # whose message is the whole help text
        message = "Missing command." if bare else getattr(error, "format_message", error.__str__)()
        return _fail(f"{message.replace('Value error, ', '')} (see naopt --help)", USAGE)
    if code == INTERRUPTED:  # as some versions of typer give it back
        return _fail("interrupted; there is nothing to be resumed", INTERRUPTED)
    return code if isinstance(code, int) else DONE


@cache
def _command(of: typer.Typer) -> Callable[..., object]:
    """The commands with all of their options: to read these from annotations takes longer than some commands do."""
    return typer.main.get_command(of)


def _at_home(argument: str) -> str:
    """An argument that is a path below ``~``, or an option with one, which the shell left as it was: it was quoted."""
    found = _HOME.fullmatch(argument)
    return argument if found is None else found[1] + at_home(found[2])


def _fail(message: str, code: int) -> int:
    note("naopt: " + " ".join(message.split()))
    return code


def main() -> None:
    """The ``naopt`` command. Warnings of the log are lines on standard error.

    What a terminal has no letter for is replaced: a search must not end over the name of a class.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    show_logs()
    sys.exit(run(sys.argv[1:]))
