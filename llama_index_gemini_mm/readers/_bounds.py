"""How much a file may make us do. Files come from strangers; what passes a bound is ``FileTooLarge``.

They are far above what honest files hold, and far below what a machine bears. Sizes are bytes once unpacked.
"""

from __future__ import annotations

MAX_DEPTH = 8
"""Files inside files inside files."""
MAX_INNER_FILES = 10_000
"""Files inside one file, at every depth together."""
MAX_INNER_BYTES = 4 * 2**30
"""Bytes of all of them together."""
MAX_PART_BYTES = 512 * 2**20
"""One file inside another, such as an attachment or a picture."""
MAX_XML_BYTES = 128 * 2**20
"""One XML part of an office document or e-book, the markup of one page, the text of one file."""
MAX_XML_DEPTH = 256
"""Elements inside elements; LXML's own bound."""
MAX_CELLS = 5_000_000
"""Cells of one workbook or table that hold something."""
MAX_PIXELS = 178_956_970
"""Pixels of one picture: twice what Pillow warns of, and where it stops. ``codecs.image`` holds pictures to it."""
MAX_BLOCKS = 200_000
"""Paragraphs, pictures and tables of one document."""
MAX_SECONDS = 48 * 3600.0
"""Length of one film or recording; broken time stamps claim years, and each half minute would become a vector."""
