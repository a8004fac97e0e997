"""Runs the cells of a notebook in IPython, in a fresh process, as Jupyter's kernel does.

Processes are forked from a server that has imported what notebooks import, and computed nothing:
the eleven notebooks spend seconds each on imports otherwise.
"""

import contextlib
import io
import json
import multiprocessing
import os
import sys
import traceback
from pathlib import Path

IMPORTED = (
    "IPython.core.interactiveshell",
    "matplotlib.pyplot",
    "numba",
    "onnx",
    "pandas",
    "xarray",
)
"""What the server imports before it forks, besides pimlab."""

BACKEND = "module://matplotlib_inline.backend_inline"


def cells(path):
    """The code of a notebook, cell by cell."""
    notebook = json.loads(Path(path).read_text())
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def run(path, server):
    """What went wrong in the notebook at `path`, as text; None where every cell ran.

    server : from `forks`.
    """
    ours, theirs = server.Pipe(duplex=False)
    process = server.Process(target=_run, args=(str(path), theirs))
    process.start()
    theirs.close()
    try:
        wrong = ours.recv()
    except EOFError:
        wrong = "its process ended before the last cell"
    process.join()
    return wrong


def forks():
    """Where processes come from: forks of a server that has imported this module and all it names."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *IMPORTED, "pimlab.studies", "pimlab.lab"])
    return context


def _run(path, answer):
    """In the new process: run all cells, and send what went wrong in the first that failed."""
    os.chdir(Path(path).parent)
    sys.path.insert(0, "")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        answer.send(_first_failure(_shell(), cells(path)))


def _shell():
    """IPython without a terminal: it computes every form of an answer that a browser could show."""
    import matplotlib
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline.backend_inline import configure_inline_support

    import pimlab

    matplotlib.use(BACKEND)
    shell = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    configure_inline_support(shell, BACKEND)
    pimlab._show_in_notebooks()  # imported before the shell was there
    return shell


def _first_failure(shell, sources):
    for number, source in enumerate(sources, 1):
        done = shell.run_cell(source, store_history=False)
        error = done.error_before_exec or done.error_in_exec
        if error is not None:
            told = "".join(traceback.format_exception(error))
            return f"cell {number} of code:\n{source}\n{told}"
    return None
