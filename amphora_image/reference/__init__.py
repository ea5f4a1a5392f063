# SPDX-License-Identifier: Apache-2.0
"""References to images: text to value and back.

A text is parsed once, at the edge (an option, an argument), and only the value travels on. The forms::

    6b3c…-…                           an image id, bare
    glance://6b3c…-…                  the same
    glance://tag/NAME                 the newest image with that tag; NAME is percent-encoded
    glance://tag/NAME?owner=PROJECT   of that project instead of the configured one
    https://HOST[:PORT]/PATH[?QUERY]  an image on a web server; http:// likewise
    file:///PATH                      an image in a file, PATH percent-encoded
    SCHEME://…                        what the image service of another package reads

Each may end with a pin, which says what the bytes must be::

    #sha256=DIGEST   #sha512=DIGEST   the digest in hex
    #checksum=URL                     the digest that the checksum file at URL has for the file's name
"""

from amphora_image.reference.base import ChecksumUrl, Reference
from amphora_image.reference.glance import MAX_TAG_CHARACTERS, IdReference, TagReference
from amphora_image.reference.pin import Pin
from amphora_image.reference.url import FileReference, OtherReference, UrlReference

__all__ = [
    "MAX_TAG_CHARACTERS",
    "ChecksumUrl",
    "FileReference",
    "IdReference",
    "OtherReference",
    "Pin",
    "Reference",
    "TagReference",
    "UrlReference",
]
