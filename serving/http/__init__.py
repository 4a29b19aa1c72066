"""HTTP: the Open Inference Protocol without a framework on its way, all else through Starlette."""
