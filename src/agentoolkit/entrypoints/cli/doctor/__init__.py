"""``agentool doctor``: each layer is looked at by itself, so that the broken one can be named."""
