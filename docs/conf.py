"""Configuration of the documentation: `make docs` builds it offline, with warnings as errors."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import pages  # noqa: E402

import pimlab  # noqa: E402

project = "pimlab"
author = "The pimlab founders"
version = release = pimlab.__version__
html_title = f"pimlab {version}"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4

# Pages with code run while they are built; their answers are kept beside the compiled kernels.
nb_execution_mode = os.environ.get("PIMLAB_DOCS_EXECUTE", "cache")
nb_execution_cache_path = str(HERE.parent / ".cache" / "docs")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
os.environ.setdefault("PIMLAB_PROGRESS", "0")  # pages show answers, not how far they were

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
toc_object_entries = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pimlab.css"]
html_show_sphinx = False


def setup(app):
    """Writes the pages that come from the catalogue, the papers, the notebooks and the code."""
    pages.write(HERE / "generated")
    app.connect("autodoc-process-docstring", pages.docstring)
    app.connect("autodoc-skip-member", pages.skipped)
