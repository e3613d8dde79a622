"""What a picture file says about its picture: title, description, keywords, author, date and place.

Where several fields say the same, the order is that of the Metadata Working Group's guidance: EXIF, then XMP, and IPTC
between the two when a program that knows no XMP has changed it since. What cameras and encoders write into such fields
by themselves is passed over, and broken fields cost nothing but themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from llama_index_gemini_mm.codecs.image.fields import Exif, Iptc, Xmp, comments_of, exif_of, text_of

_ORIENTATION = 0x0112
_NOISE = re.compile(
    r"""(?ix)^(
    .*\bdigital\s(still\s)?camera\b.* | .*\bdigimax\b.* | <kenox.*> | sony\s?dsc | minolta.* | dcim | dcf | sec | \W*
    | exif[\s_-]?jpeg([\s_-].*)? | jpe?g | image | picture | photo | digital\simage | default(\scomment)? | untitled
    | (my\s)?title | media | binary\scomment | user\scomments? | ascii | charset=.* | none | null | test | comment
    | unknown(\s\w+)?
    | cof | sdr | hdr | dav | ptr | rhdr | oznor\w* | ozedf | edf | mde | bty | rbt | nor | btf | btr | dig | fbt | bfl
    | (created|made|generated|drawn|edited|processed|compressed|optimi[sz]ed|produced|encoded|scanned|exported|saved
       |converted)\s(with|by|from|in|using)\s.*
    | creator:.* | file\swritten\sby.* | file\ssource:.* | software:.* | applemark.* | lead\stechnologies.*
    | intel.*jpeg.* | handmade\ssoftware.* | acd\ssystems.* | .*\bimagemagick\b.* | .*\bgd-jpeg\b.* | lavc[\d.]+
    | .*\bpdf\sfilter\b.* | .*\bijg\sjpeg\b.* | gif(animator|builder|sicle|movie).* | xv\sversion.* | .*\bjpegmini\b.*
    | [\w.+-]{0,20}\sv?\d+(\.\d+)+ | [\[{].*[\]}] | https?://\S+ | text\sis\snot\ssvg.*
    )$""",
    re.DOTALL,
)
"""Texts that say nothing about what is seen: a camera's name, a phone's mode, a program and its version, settings."""
_MAX_TEXT = 5000
_MAX_KEYWORDS = 64


@dataclass(frozen=True)
class Words:
    """What is said about a picture; empty or ``None`` where nothing is.

    ``caption`` is all that describes it, one field a line. ``created`` is ISO 8601, places are degrees north and east.
    """

    title: str = ""
    caption: str = ""
    author: str = ""
    created: str = ""
    keywords: tuple[str, ...] = ()
    place: tuple[float, float] | None = None


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 is upright."""
    value = exif_of(image).get(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def words_of(image: Image.Image) -> Words:
    """What the file says about its picture. Raises nothing for broken metadata."""
    exif, iptc, xmp = Exif(image), Iptc(image), Xmp(image)
    both = (iptc, xmp) if iptc.is_newer_than_xmp else (xmp, iptc)
    text = text_of(image)
    title = _first(
        *(source.title for source in both),
        exif.title,
        text.get("title", ""),
        *(source.headline for source in both),
    )
    description = _first(exif.description, *(source.description for source in both), text.get("description", ""))
    remarks = (description, *xmp.alternatives, exif.subject, exif.comment, *comments_of(image))
    keywords = _keywords(*(source.keywords for source in both), exif.keywords, (text.get("keywords", ""),))
    lines = [
        *_distinct(remarks, besides=title),
        f"Keywords: {', '.join(keywords)}" if keywords else "",
        f"Shown: {', '.join(xmp.people)}" if xmp.people else "",
        _first(*(source.location for source in both)),
    ]
    return Words(
        title,
        "\n".join(filter(None, lines)),
        _first(exif.author, *(source.author for source in both), text.get("author", ""), *(s.credit for s in both)),
        next(filter(None, (exif.created, *(source.created for source in both))), ""),
        keywords,
        exif.place or xmp.place,
    )


def said(text: str) -> str:
    """``text`` tidied, or nothing when a machine wrote it."""
    lines = ("".join(c if c.isprintable() else " " for c in line).strip() for line in text[:_MAX_TEXT].splitlines())
    clean = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return "" if _NOISE.match(clean) or "\ufffd" in clean else clean


def _first(*texts: str) -> str:
    return next(filter(None, map(said, texts)), "")


def _distinct(texts: Iterable[str], besides: str) -> list[str]:
    """Those that say something which the title and those before them do not."""
    kept: list[str] = []
    for text in filter(None, map(said, texts)):
        if text != besides and not any(text in other for other in kept):
            kept.append(text)
    return kept


def _keywords(*lists: Iterable[str]) -> tuple[str, ...]:
    """The first list that holds any, without repetitions; one text may hold several."""
    for words in lists:
        split = (part for word in words for part in (re.split(r"[;,]", word) if _holds_several(word) else [word]))
        found = dict.fromkeys(filter(None, (" ".join(said(part).split()) for part in split)))
        if found:
            return tuple(found)[:_MAX_KEYWORDS]
    return ()


def _holds_several(word: str) -> bool:
    return ";" in word or word.count(",") > 1
