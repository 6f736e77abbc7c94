"""Where every value of a fast step lives: a pass over the graph, verified, whose result the writers print."""
