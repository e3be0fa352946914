"""The Service API of graphs: their runs' history and their forms."""
