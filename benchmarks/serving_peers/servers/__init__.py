"""One file for each peer's server. They run in the peers' environments and import no tlsearch."""
