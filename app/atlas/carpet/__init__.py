"""Carpet page: units over tokens."""
