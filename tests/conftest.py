"""Shared fixtures."""

pytest_plugins = ["requirements_fixtures"]
