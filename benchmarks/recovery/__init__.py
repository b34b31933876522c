"""How long bars stop coming: after kill -9, SIGTERM, a restart, a rebalance. Real processes."""
