"""How objects travel: associations in and out, their limits and their answers.

The only home of pynetdicom; pydicom is used here for UIDs and command sets alone. It knows no database and never
decodes a stored dataset.
"""
