"""Where everything is kept: tables, database, queue, outbox, files and the questions asked of them.

The only home of SQLAlchemy and Alembic. It knows no DICOM toolkit, no network and no model.
"""
