"""Tables of any kind: reading, roles of columns, and automatic preparation."""
