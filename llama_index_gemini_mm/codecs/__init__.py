"""Opening, cutting and re-encoding media: one file a medium, functions from streams to bytes.

They know no limits, no nodes and no file names. Every function takes a seekable binary stream, and a registered MIME
type where the container must not be guessed (guessing lets a playlist named ``.mp4`` open other files). The upload form
of what they cut is PNG or JPEG, MP3 or WAV, MP4 (H.264, no sound), and PDF.
"""

from __future__ import annotations


class Undecodable(ValueError):
    """The bytes are not what their MIME type says, or are broken; the text is the reason, without the content."""


class TooMuch(Undecodable):
    """Sound as it may be, it passes a bound of what is decoded; the text says which."""
