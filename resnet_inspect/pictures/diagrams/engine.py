"""Graphviz in this process, through pygraphviz."""

from __future__ import annotations


def run_graphviz(dot: str, layout: str, format: str) -> bytes | None:
    """What Graphviz makes of DOT that it lays out by one of its engines; None where it cannot.

    AGraph.draw would do, but warns on stderr of graphs with more than 1000 nodes.
    """
    from pygraphviz import AGraph
    from pygraphviz import graphviz as binding

    graph = AGraph(string=dot)
    context = binding.gvContextWithBuiltins()
    try:
        if binding.gvLayout(context, graph.handle, layout.encode()):
            return None
        failed, drawn = binding.gvRenderData(context, graph.handle, format.encode())
        binding.gvFreeLayout(context, graph.handle)
        if failed:
            return None
        return drawn if isinstance(drawn, bytes) else str(drawn).encode("utf-8")
    finally:
        graph.close()
        binding.gvFreeContext(context)
