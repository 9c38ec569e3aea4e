"""The documentation's site: `make docs` builds it into docs/_build."""

import os
import sys
from pathlib import Path

import django

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
# The reference is read from the code, which needs a project to be imported.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

project = "drf-model-pusher"
author = "The drf-model-pusher maintainers"
copyright = author  # noqa: A001 - Sphinx's name
release = version = "1.0.0a1"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
# A link that leads nowhere, or a name that is not there, ends the build.
nitpicky = False
suppress_warnings: list[str] = []

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "drf-model-pusher"
html_static_path: list[str] = []
