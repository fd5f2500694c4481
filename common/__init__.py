"""The ground floor: bytes and sockets. Knows no chat command and no milestone."""
