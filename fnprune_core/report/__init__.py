"""The report of an atlas: what was done and found, in words, tables and commands.

Nothing is drawn here. A section names the figures it wants (`Slot`); who draws them, and makes a
page of it, is the app.
"""
