"""The wheel: both packages of code, and `assets/`, which lies inside `fnprune_core` there."""

from setuptools import find_packages, setup

setup(
    include_package_data=False,
    packages=[*find_packages(include=["fnprune_core*", "app*"]), "fnprune_core.assets"],
    package_dir={"fnprune_core.assets": "assets"},
    package_data={
        "": ["py.typed"],
        "fnprune_core.assets": ["**/*"],  # but the pictures of README and documentation
        "app": ["static/**/*", ".streamlit/*"],
    },
    exclude_package_data={"fnprune_core.assets": ["pictures/*"]},
)
