"""Readers of what people bring: bytes, JSON, tables and headers, bounded in time and memory.

What lives here checks sizes before it decodes; it imports `errors` alone.
"""
