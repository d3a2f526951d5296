"""How bytes are encoded (DICOM PS3.5): transfer syntaxes, elements, character sets, values, and the walk over them."""
