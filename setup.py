"""The wheel: both packages of code, and `assets/`, which lies inside `fnprune_core` there."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["fnprune_core*", "app*"]), "fnprune_core.assets"],
    package_dir={"fnprune_core.assets": "assets"},
    package_data={
        "": ["py.typed"],
        "fnprune_core.assets": ["**/*"],
        "app": ["static/**/*", ".streamlit/*"],
    },
)
