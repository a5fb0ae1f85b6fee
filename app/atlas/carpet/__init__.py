"""Carpet: units over tokens."""
