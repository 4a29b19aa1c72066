"""The sides of the serving benchmark, their environments, servers, load and figures."""
