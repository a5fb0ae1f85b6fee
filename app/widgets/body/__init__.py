"""The model's body in the browser: the viewer that pages share."""
