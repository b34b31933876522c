"""Everything that crosses the wire: brokers and the schema registry."""
