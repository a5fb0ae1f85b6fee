"""Live scanner page: the body lights up while the model reads or writes."""
