"""The Web API of graphs: forms, which their tokens alone open."""
