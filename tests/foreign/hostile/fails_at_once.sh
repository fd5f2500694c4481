#!/bin/sh
# Exits at once, with status 3 and a message on stderr.
echo "segmentation of my patience" >&2
exit 3
