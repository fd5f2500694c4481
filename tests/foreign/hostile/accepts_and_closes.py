"""Accepts every client and closes the connection at once."""

import base

base.limit_lifetime()
base.serve(lambda connection: connection.close())
