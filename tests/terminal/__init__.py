"""What people see: real clients on a pseudo-terminal, their screens compared."""
