"""What a dataset says: structure, header, pixels and reports.

The only home of stored datasets and of highdicom. It knows no database and no network; it takes bytes, paths and
plain values and returns plain values and bytes.
"""
