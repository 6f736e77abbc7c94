"""From a graph to a script. Only this package knows Jinja2."""
