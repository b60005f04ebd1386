"""Planning: what a batch of commands leads to. Pure; below storage, which writes plans, and the sequencer, which runs them."""
