"""The tiers of the workflows room: graphs, their versions, their runs' history and the forms of people."""
