"""The wheel: all lies inside `fnprune_core` there, the app and `assets/` too.

A top-level package `app` would clash with other people's. An editable install has the folders of
the checkout.
"""

import sys

from setuptools import find_packages, setup

_IS_EDITABLE = "editable_wheel" in sys.argv
_APP = "app" if _IS_EDITABLE else "fnprune_core._wheel.app"  # found by `fnprune_core.cli`

setup(
    include_package_data=False,
    packages=[
        *find_packages(include=["fnprune_core*"]),
        *(_APP + name.removeprefix("app") for name in find_packages(include=["app", "app.*"])),
        "fnprune_core.assets",
    ],
    package_dir={"fnprune_core.assets": "assets", _APP: "app"},
    package_data={
        "": ["py.typed"],
        "fnprune_core.assets": ["**/*"],
        _APP: ["static/**/*", ".streamlit/*"],
    },
    # The pictures of README and documentation, and what lies beside the app.
    exclude_package_data={"fnprune_core.assets": ["pictures/*", "static/*"]},
)
