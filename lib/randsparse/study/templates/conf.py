"""Settings of Sphinx for the book of the study: nothing in it is loaded from elsewhere, and formulas are MathML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

project = "Random sparse networks"
html_title = project
author = "the randsparse authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["extra"]
default_role = "code"
suppress_warnings = ["misc.highlighting_failure", "ref.python"]  # names in docstrings are seldom references

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_output_stderr = "remove"
nb_render_markdown_format = "myst"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_use_rtype = False

html_theme = "furo"
html_static_path = [str(Path(__file__).parent / "static")]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # it would be read by requests, which a browser refuses to pages of a folder
html_math_renderer = "mathml"


_CODE = re.compile(r"(`[^`]*`)")


def setup(app: Any) -> None:
    """Make formulas MathML, which browsers draw without a script, and take docstrings as plain text."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("autodoc-process-docstring", _escape, priority=100)


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def _escape(app: Any, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Escape what is a formula in a docstring and markup in reStructuredText, but not in code; mark blocks of code."""
    parts = _CODE.split("\n".join(lines))
    parts[::2] = [re.sub(r"([*|\\]|_\b)", r"\\\1", part) for part in parts[::2]]
    lines[:] = re.sub(r":\n\n(?= {4})", "::\n\n", "".join(parts)).split("\n")
