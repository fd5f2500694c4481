"""JSON values one after another on a socket, with or without anything between them."""

import codecs
import json

MAX_OBJECT = 60_000


class Malformed(Exception):
    pass


def refuse_constant(name):
    raise Malformed(f"{name} is not JSON")


decoder = json.JSONDecoder(parse_constant=refuse_constant)


def objects(sock):
    """Yield each object as a dict, until the other side closes. OSError and Malformed get out."""
    text = ""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    while data := sock.recv(4096):
        try:
            text = (text + utf8.decode(data)).lstrip()
        except UnicodeDecodeError:
            raise Malformed("that is not UTF-8") from None
        while text and (b"}" in data or text[0] != "{"):
            if text[0] != "{":
                raise Malformed("that is not an object")
            try:
                value, end = decoder.raw_decode(text)
            except json.JSONDecodeError:
                break  # not all of it is here yet
            except (RecursionError, ValueError):  # depth, or a number of thousands of digits
                raise Malformed("that is too much") from None
            yield value
            text = text[end:].lstrip()
        if len(text) > MAX_OBJECT:
            raise Malformed("that is too long")


def encode(value):
    return json.dumps(value).encode()
