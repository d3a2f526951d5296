"""The way into a data set: a path in, labelled images by split out, whatever form it has on disk."""

from pathlib import Path

from models.data.arrays import read_npz
from models.data.labelled import DataError, DataSet, InMemory, LabelledImages
from models.data.zips import ZipFolder

__all__ = ["DataError", "DataSet", "InMemory", "LabelledImages", "open_data"]


def open_data(path: Path) -> DataSet:
    """Return the data set at a path: a folder with manifest.csv and zips, or an npz with x_train and the others.

    A folder of DICOM files with labels.csv is the node's to read: nothing here knows DICOM.

    Raises
    ------
    DataError
        Where there is neither, or what is there must not be learned from.
    """
    if path.suffix == ".npz":
        return read_npz(path)
    return ZipFolder(path)
