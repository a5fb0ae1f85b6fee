"""The live scanner: its data for the browser, and its frames drawn here for stills and films."""
