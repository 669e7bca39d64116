"""Files in, values out: JSON, settings and arrays from anywhere, within bounds.

Whatever comes from a file passes through here. Reading runs nothing of what a file holds, follows no link
out of the place that was named, and takes no more memory than the file declares and its reader
allows; what is too large is refused before it is unpacked. Any bytes end in a value or in one
`InvalidInput` that names the file.

References: Fifield (2019), "A better zip bomb", for what an archive can declare; Seriot (2016),
  "Parsing JSON is a minefield", for what readers of JSON disagree on.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
