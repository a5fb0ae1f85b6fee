"""Linked views of all networks on one screen: scatter, map, time course, texts."""
