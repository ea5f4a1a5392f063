# SPDX-License-Identifier: Apache-2.0
"""How Sphinx builds the documentation."""

from importlib.metadata import version as version_of

project = "amphora-image"
author = "the amphora-image authors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = version_of("amphora-image")

extensions = ["oslo_config.sphinxext", "sphinx.ext.autodoc"]
exclude_patterns = ["figures"]  # parts that pages include
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
add_module_names = False

html_theme = "alabaster"
html_theme_options = {
    "description": "The image that amphorae boot from",
    "fixed_sidebar": True,
    "page_width": "1080px",
    "sidebar_width": "230px",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchfield.html"]}
html_show_sourcelink = False
