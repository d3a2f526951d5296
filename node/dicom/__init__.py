"""What a dataset says: structure, header, pixels, documents and reports.

The only home of stored datasets and of highdicom. It knows no database and no network; it takes bytes, paths and
plain values and returns plain values and bytes.

Its rooms, from the ground up, each knowing only those before it:

- `encoding`: how bytes are encoded, and the bounded walk over them;
- `instance`: what one object says of itself, but for its pixels;
- `pixels`, `documents`, `sources`: what came in, read as images, as Key Objects and reports of others, and as that from
  which our results take over patient, study and geometry;
- `samples`: images of nobody;
- `result`: what everything says that the node makes of images;
- `check`: the last look at an object of ours before it leaves;
- `report`: the report;
- `companions`: what goes beside a report, or takes it back;
- `outline`: what our objects consist of, for the conformance statement.

A room loads none of its files by itself, so that processes that only receive never load highdicom.
"""
