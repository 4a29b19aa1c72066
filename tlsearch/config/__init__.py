"""The sweep file: its schema, reading it with line numbers, overrides, its JSON Schema."""
