#!/bin/sh
# Exits at once, with status 0 and without a word.
exit 0
